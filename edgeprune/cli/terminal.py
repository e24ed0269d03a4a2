"""Where tables and progress for people go; the only place that makes consoles."""

from __future__ import annotations

from rich.console import Console

_COLUMNS = 100


def plain_console(*, stderr: bool = False) -> Console:
    """Return a console that prints text as it is: ``[peers]`` in a command is no markup, ``:bug:`` no emoji."""
    return Console(stderr=stderr, markup=False, emoji=False)


def table_console() -> Console:
    """Return standard output as wide as the result table needs where there is no terminal to ask for its width."""
    console = plain_console()
    if not console.is_terminal:
        console.width = _COLUMNS
    return console
