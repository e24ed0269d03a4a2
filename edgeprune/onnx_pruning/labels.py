"""Labels: one number per index of a tensor's axis; joined labels must live or die together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]
Flags = NDArray[np.bool_]


class Labels:
    """Union-find over labels, with the reasons why some of them must stay."""

    def __init__(self) -> None:
        self._parent: list[int] = []
        self._pins: list[tuple[Indices, str]] = []
        self._pinned: set[int] = set()

    def fresh(self, count: int) -> Indices:
        """Return ``count`` labels nobody uses yet."""
        start = len(self._parent)
        self._parent.extend(range(start, start + count))
        return np.arange(start, start + count, dtype=np.int64)

    def join(self, left: Indices, right: Indices) -> None:
        """Join the labels of two arrays of equal length elementwise."""
        if left is right:
            return
        for one, other in zip(left.tolist(), right.tolist(), strict=True):
            first, second = self._find(one), self._find(other)
            if first == second:
                continue
            self._parent[max(first, second)] = min(first, second)
            if max(first, second) in self._pinned:
                self._pinned.add(min(first, second))

    def pin(self, labels: Indices, reason: str) -> None:
        """Keep these labels, and whatever is joined with them; the first reason given is the one reported."""
        if labels.size:
            self._pins.append((labels, reason))
            self._pinned.update(self._find(label) for label in labels.tolist())

    def is_pinned(self, labels: Indices) -> bool:
        """Tell whether every one of these labels must stay, as far as is known by now."""
        return all(self._find(label) in self._pinned for label in labels.tolist())

    def roots(self) -> Indices:
        """Return each label's representative."""
        return np.asarray([self._find(label) for label in range(len(self._parent))], dtype=np.int64)

    def reasons(self) -> dict[int, str]:
        """Return for each kept root the first reason that was given."""
        found: dict[int, str] = {}
        for labels, reason in self._pins:
            for label in labels.tolist():
                found.setdefault(self._find(label), reason)
        return found

    def _find(self, label: int) -> int:
        while self._parent[label] != label:
            self._parent[label] = self._parent[self._parent[label]]
            label = self._parent[label]
        return label
