"""Labels: one number per index of a tensor's axis; joined labels must live or die together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

Indices = NDArray[np.int64]
Flags = NDArray[np.bool_]
Axis = Indices | None
"""The labels of one axis, or ``None`` where every index must stay."""


@dataclass(frozen=True)
class Layout:
    """The labels of a tensor.

    ``axes`` holds one entry per axis. ``zero`` says per axis whether every element at a removed index is exactly zero
    in the masked network, which is what lets a reduction run over that axis. ``alike`` are axes whose removed indices
    hold something else than zero, but all the same: what is left when a mean was taken off zeros.
    """

    shape: tuple[int, ...]
    axes: tuple[Axis, ...]
    zero: tuple[bool, ...]
    alike: frozenset[int] = frozenset()

    @staticmethod
    def fixed(shape: tuple[int, ...]) -> Layout:
        """Return the layout of a tensor that loses nothing."""
        return Layout(shape, (None,) * len(shape), (True,) * len(shape))


def joined_components(left: Indices, right: Indices, size: int) -> Indices:
    """Return the component number of each of ``size`` nodes under the edges ``left[i] -- right[i]``."""
    edges = coo_matrix((np.ones(len(left), dtype=np.int8), (left, right)), shape=(size, size))
    return np.asarray(connected_components(edges, directed=False)[1], dtype=np.int64)


class Labels:
    """Union-find over labels, vectorised: joins are collected and applied when somebody asks."""

    def __init__(self) -> None:
        self._root: Indices = np.empty(0, dtype=np.int64)
        self._count = 0
        self._edges: list[tuple[Indices, Indices]] = []
        self._pins: list[tuple[Indices, str]] = []

    def fresh(self, count: int) -> Indices:
        """Return ``count`` labels nobody uses yet."""
        start = self._count
        self._count += count
        return np.arange(start, self._count, dtype=np.int64)

    def join(self, left: Indices, right: Indices) -> None:
        """Join the labels of two arrays elementwise (with broadcasting)."""
        if left is right:
            return
        one, other = np.broadcast_arrays(left, right)
        self._edges.append((one.ravel(), other.ravel()))

    def pin(self, labels: Axis, reason: str) -> None:
        """Keep these labels, and whatever is joined with them; the first reason given is the one reported."""
        if labels is not None and labels.size:
            self._pins.append((labels.ravel(), reason))

    def roots(self) -> Indices:
        """Return each label's representative after all joins so far."""
        if len(self._root) < self._count:
            self._root = np.concatenate([self._root, np.arange(len(self._root), self._count, dtype=np.int64)])
        if self._edges:
            left = self._root[np.concatenate([edge[0] for edge in self._edges])]
            right = self._root[np.concatenate([edge[1] for edge in self._edges])]
            self._edges = []
            self._merge(left, right)
        return self._root

    def _merge(self, left: Indices, right: Indices) -> None:
        touched, places = np.unique(np.concatenate([left, right]), return_inverse=True)
        component = joined_components(places[: len(left)], places[len(left) :], len(touched))
        first = np.full(component.max() + 1, -1, dtype=np.int64)
        first[component[::-1]] = touched[::-1]
        table = np.arange(self._count, dtype=np.int64)
        table[touched] = first[component]
        self._root = table[self._root]

    def pinned_roots(self) -> Flags:
        """Return for every label number whether it is the root of a kept set."""
        roots = self.roots()
        pinned = np.zeros(self._count, dtype=np.bool_)
        for labels, _ in self._pins:
            pinned[roots[labels]] = True
        return pinned

    def reasons(self) -> dict[int, str]:
        """Return for each kept root the first reason that was given."""
        roots = self.roots()
        found: dict[int, str] = {}
        for labels, reason in self._pins:
            for root in np.unique(roots[labels]).tolist():
                found.setdefault(root, reason)
        return found
