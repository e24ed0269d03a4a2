"""Packing buffers that live at different times into one piece of memory.

The problem (dynamic storage allocation) is NP-hard; networks are small. Greedy first fit by decreasing size is within
a few per cent of the bound on most of them (Pisarchyk and Lee, "Efficient Memory Management for Deep Neural Net
Inference", 2020); other orders and a short seeded search over orders close most of what is left.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

ALIGNMENT = 64
_SEARCH_ROUNDS = 400


@dataclass(frozen=True)
class Lifetime:
    """A buffer of ``size`` bytes that holds something from step ``first`` to step ``last``, both included."""

    size: int
    first: int
    last: int

    def overlaps(self, other: Lifetime) -> bool:
        """Return whether both buffers hold something at some step."""
        return self.first <= other.last and other.first <= self.last


@dataclass(frozen=True)
class ArenaPlan:
    """Offsets in bytes in the order of the lifetimes given, the arena's size, and the least any plan could need.

    ``bound`` is the largest sum of the sizes of buffers that are live at one step.
    """

    offsets: tuple[int, ...]
    size: int
    bound: int


def plan_arena(lifetimes: Sequence[Lifetime], *, seed: int = 0) -> ArenaPlan:
    """Return non-overlapping offsets, each a multiple of `ALIGNMENT`, for all lifetimes.

    Deterministic for equal lifetimes and seed.
    """
    bound = _bound(lifetimes)
    aligned_bound = _bound([Lifetime(aligned(life.size), life.first, life.last) for life in lifetimes])
    best_order: list[int] = []
    best: tuple[list[int], int] | None = None
    for order in _orders(lifetimes):
        placed = _place(lifetimes, order)
        if best is None or placed[1] < best[1]:
            best, best_order = placed, order
    assert best is not None
    if best[1] > aligned_bound:
        best = _search(lifetimes, best_order, best, aligned_bound, random.Random(seed))
    offsets, size = best
    return ArenaPlan(tuple(offsets), size, bound)


def _bound(lifetimes: Sequence[Lifetime]) -> int:
    starts = {life.first for life in lifetimes}
    sums = (sum(life.size for life in lifetimes if life.first <= step <= life.last) for step in starts)
    return max(sums, default=0)


def _orders(lifetimes: Sequence[Lifetime]) -> list[list[int]]:
    indices = range(len(lifetimes))

    def duration(index: int) -> int:
        return lifetimes[index].last - lifetimes[index].first + 1

    def size(index: int) -> int:
        return lifetimes[index].size

    return [
        sorted(indices, key=lambda index: (-size(index), lifetimes[index].first)),
        sorted(indices, key=lambda index: (-size(index) * duration(index), -size(index))),
        sorted(indices, key=lambda index: (-duration(index), -size(index))),
        sorted(indices, key=lambda index: (lifetimes[index].first, -size(index))),
        sorted(indices, key=lambda index: (-_pressure(lifetimes, index), -size(index))),
    ]


def _pressure(lifetimes: Sequence[Lifetime], index: int) -> int:
    own = lifetimes[index]
    return max(
        sum(life.size for life in lifetimes if life.first <= step <= life.last)
        for step in range(own.first, own.last + 1)
    )


def _place(lifetimes: Sequence[Lifetime], order: Sequence[int]) -> tuple[list[int], int]:
    """Put each buffer into the tightest gap between those already placed, or above them."""
    offsets = [-1] * len(lifetimes)
    placed: list[int] = []
    total = 0
    for index in order:
        own = lifetimes[index]
        taken = sorted(
            (offsets[other], offsets[other] + aligned(lifetimes[other].size))
            for other in placed
            if own.overlaps(lifetimes[other])
        )
        offsets[index] = _tightest_gap(taken, aligned(own.size))
        placed.append(index)
        total = max(total, offsets[index] + aligned(own.size))
    return offsets, total


def _tightest_gap(taken: Sequence[tuple[int, int]], size: int) -> int:
    best_offset, best_gap = -1, -1
    end = 0
    for start, stop in taken:
        gap = start - end
        if gap >= size and (best_offset < 0 or gap < best_gap):
            best_offset, best_gap = end, gap
        end = max(end, stop)
    return best_offset if best_offset >= 0 else end


def _search(
    lifetimes: Sequence[Lifetime],
    order: list[int],
    best: tuple[list[int], int],
    goal: int,
    generator: random.Random,
) -> tuple[list[int], int]:
    current = list(order)
    for _ in range(_SEARCH_ROUNDS):
        candidate = list(current)
        moved = candidate.pop(generator.randrange(len(candidate)))
        candidate.insert(generator.randrange(len(candidate) + 1), moved)
        placed = _place(lifetimes, candidate)
        if placed[1] <= best[1]:
            best, current = placed, candidate
        if best[1] <= goal:
            break
    return best


def aligned(size: int) -> int:
    """Return ``size`` rounded up to a multiple of `ALIGNMENT`."""
    return -(-size // ALIGNMENT) * ALIGNMENT
