"""Where tables for people go."""

from __future__ import annotations

from rich.console import Console

_COLUMNS = 100


def table_console() -> Console:
    """Return standard output as wide as the result table needs where there is no terminal to ask for its width."""
    console = Console()
    return console if console.is_terminal else Console(width=_COLUMNS)
