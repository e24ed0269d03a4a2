"""How long work reports where it is, without knowing whether anyone looks at a terminal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Table:
    """A small table, as texts."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


class Progress(Protocol):
    """What a long function tells while it works."""

    def stage(self, name: str, total: int | None) -> None:
        """Begin a piece of work of ``total`` steps (``None``: unknown)."""

    def advance(self, message: str) -> None:
        """Finish one step; ``message`` says what it gave."""

    def note(self, message: str) -> None:
        """Say something worth a line of its own."""

    def table(self, table: Table) -> None:
        """Show how the piece of work stands, in place of what was shown before; only somebody who looks sees it."""


class SilentProgress:
    """Says nothing: for library calls and tests."""

    def stage(self, name: str, total: int | None) -> None:
        """Ignore."""

    def advance(self, message: str) -> None:
        """Ignore."""

    def note(self, message: str) -> None:
        """Ignore."""

    def table(self, table: Table) -> None:
        """Ignore."""
