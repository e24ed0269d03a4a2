"""Progress bars with a table beneath them."""

from __future__ import annotations

from collections.abc import Iterable

import rich.table
from rich.console import RenderableType
from rich.progress import Progress

from edgeprune.progress import Table

_MOST_ROWS = 12


class LiveBars(Progress):
    """Rich's bars; ``below`` is shown beneath them, its first dozen rows."""

    below: Table | None = None

    def get_renderables(self) -> Iterable[RenderableType]:
        """Yield what is drawn at every refresh."""
        yield from super().get_renderables()
        if self.below is not None and self.below.rows:
            yield _drawn(self.below)


def _drawn(table: Table) -> rich.table.Table:
    drawn = rich.table.Table(box=None, padding=(0, 1), header_style="dim")
    for place, column in enumerate(table.columns):
        # Names are cut short rather than wrapped; figures stand under each other.
        drawn.add_column(column, justify="left" if place == 0 else "right", no_wrap=True, overflow="ellipsis")
    for row in table.rows[:_MOST_ROWS]:
        drawn.add_row(*row)
    left = len(table.rows) - _MOST_ROWS
    if left > 0:
        drawn.add_row(f"and {left} more")
    return drawn
