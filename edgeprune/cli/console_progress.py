"""Progress for people: live bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn

from edgeprune.cli.live_bars import LiveBars
from edgeprune.cli.terminal import plain_console
from edgeprune.progress import Progress, Table


class _PlainProgress:
    """One line per step on standard error, with the seconds since the start."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._name, self._total, self._done = "", 0, 0

    def stage(self, name: str, total: int | None) -> None:
        self._name, self._total, self._done = name, total or 0, 0
        self._line(name if total is None else f"{name}: {total} steps")

    def advance(self, message: str) -> None:
        self._done += 1
        total = f"/{self._total}" if self._total else ""
        self._line(f"{self._name} {self._done}{total}: {message}")

    def note(self, message: str) -> None:
        self._line(message)

    def table(self, table: Table) -> None:
        """Nothing replaces a line that is printed: what the table says in sum stands in the lines."""

    def _line(self, text: str) -> None:
        print(f"[{time.monotonic() - self._started:7.1f} s] {text}", file=sys.stderr, flush=True)


class _LiveProgress:
    """A bar for the piece of work at hand; finished pieces and notes scroll up above it."""

    def __init__(self, bars: LiveBars) -> None:
        self._bars = bars
        self._task: TaskID | None = None

    def stage(self, name: str, total: int | None) -> None:
        if self._task is not None:
            self._bars.update(self._task, visible=False)
        self._bars.below = None
        self._task = self._bars.add_task(name, total=total, message="")

    def advance(self, message: str) -> None:
        if self._task is None:
            self.note(message)
        else:
            self._bars.update(self._task, advance=1, message=message)

    def note(self, message: str) -> None:
        self._bars.console.print(message, highlight=False)

    def table(self, table: Table) -> None:
        self._bars.below = table


@contextmanager
def console_progress() -> Iterator[Progress]:
    """Yield a progress that suits standard error: bars on a terminal, lines in a file or a pipe."""
    console = plain_console(stderr=True)
    if not console.is_terminal:
        yield _PlainProgress()
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[message]}", markup=False),
    )
    with LiveBars(*columns, console=console) as bars:
        yield _LiveProgress(bars)
