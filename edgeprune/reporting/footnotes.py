"""Reasons collected under a table, each said once."""

from __future__ import annotations


class Footnotes:
    """Numbers reasons from 1 in the order they first occur."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def number(self, reason: str) -> int:
        """Return the number of ``reason``, the next free one if it was not seen yet."""
        return self._numbers.setdefault(reason, len(self._numbers) + 1)

    def items(self) -> list[tuple[int, str]]:
        """Return (number, reason) in order."""
        return [(number, reason) for reason, number in self._numbers.items()]
