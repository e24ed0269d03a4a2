"""Whether samples come from two states of the machine rather than one: Hartigan's dip test, and how far apart."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# The dip of uniform samples, the least favourable unimodal ones, times the root of their number exceeds this once in a
# hundred times (tests/measuring/test_modes.py simulates it; the paper's table 1 has the same for up to 200 samples).
CRITICAL_ROOT_DIP = 0.62

_MOST_TESTED = 1000
_LEAST_TESTED = 50
_LEAST_SHARE = 0.10
_LEAST_GAP = 0.05
_TAIL = 0.99


@dataclass(frozen=True)
class TwoModes:
    """Two groups of samples: their medians in the samples' unit, and the share (0 to 1) that is in the slower one."""

    fast: float
    slow: float
    slow_share: float


def two_modes(samples: NDArray[np.generic], *, seed: int = 0) -> TwoModes | None:
    """Return the two groups that positive ``samples``, shape ``(n,)``, fall into, or ``None``.

    They do when all of this holds: the dip test refuses one mode at 1 % (Hartigan and Hartigan, The Dip Test of
    Unimodality, Annals of Statistics 13, 1985); the cut that leaves the least variance within two groups (Otsu, 1979)
    puts at least a tenth into each; and the groups' medians are at least 5 % apart. The slowest hundredth is left
    out. Below 50 samples nothing is said; of more than 1000 an even selection is tested, so that a difference nobody
    would mind is not found only because there are so many.
    """
    values = np.asarray(samples, dtype=np.float64).ravel()
    if len(values) < _LEAST_TESTED or values.min() == values.max():
        return None
    chosen = _without_steps(values, np.random.default_rng(seed))[:: -(-len(values) // _MOST_TESTED)]
    ordered = np.sort(chosen)[: max(2, math.floor(len(chosen) * _TAIL))]
    if dip(ordered) * math.sqrt(len(ordered)) < CRITICAL_ROOT_DIP:
        return None
    cut = _cut(ordered)
    fast, slow = float(np.median(ordered[:cut])), float(np.median(ordered[cut:]))
    share = 1 - cut / len(ordered)
    if not _LEAST_SHARE <= share <= 1 - _LEAST_SHARE or slow < fast * (1 + _LEAST_GAP):
        return None
    return TwoModes(fast, slow, share)


def dip(ordered: Floats) -> float:
    """Return the dip of distinct ascending values, shape ``(n,)`` with ``n >= 2``.

    It is how far their distribution is from the nearest one of a single mode. Between the greatest convex minorant on
    the left of a modal interval and the least concave majorant on its right lies the best such fit; the interval
    shrinks until the fit is no worse inside of it than outside. The least dip of n values is 1 / (2 n).
    """
    count = len(ordered)
    places, ranks = ordered, np.arange(count, dtype=np.float64)
    low, high, found = 0, count - 1, 1.0
    while low < high:
        inside = slice(low, high + 1)
        fit = _Fit.of(places[inside], ranks[inside])
        widest = fit.widest()
        if widest.gap < found:
            break
        found = max(found, fit.error_outside(widest))
        if (widest.left, widest.right) == (0, high - low):
            break
        low, high = low + widest.left, low + widest.right
    return found / (2 * count)


@dataclass(frozen=True)
class _Widest:
    gap: float
    left: int
    right: int


@dataclass(frozen=True)
class _Fit:
    """Minorant and majorant of a step function that rises from ``ranks`` to ``ranks + 1`` at each place."""

    ranks: Floats
    minorant: Floats
    majorant: Floats
    on_minorant: NDArray[np.intp]
    on_majorant: NDArray[np.intp]

    @classmethod
    def of(cls, places: Floats, ranks: Floats) -> _Fit:
        below = _hull(places, ranks)
        # The least concave majorant is the greatest convex minorant of the points turned by half a turn.
        above = len(places) - 1 - _hull(-places[::-1], -ranks[::-1])[::-1]
        minorant = np.interp(places, places[below], ranks[below])
        majorant = np.interp(places, places[above], ranks[above]) + 1
        return cls(ranks, minorant, majorant, below, above)

    def widest(self) -> _Widest:
        """Return the widest gap at a touching point, between one of the minorant and one of the majorant."""
        touching = np.union1d(self.on_minorant, self.on_majorant)
        gaps = (self.majorant - self.minorant)[touching]
        point = touching[len(gaps) - 1 - int(np.argmax(gaps[::-1]))]
        left = self.on_minorant[self.on_minorant <= point][-1]
        right = self.on_majorant[self.on_majorant >= point][0]
        return _Widest(float(gaps.max()), int(left), int(right))

    def error_outside(self, interval: _Widest) -> float:
        """Return how far the minorant left of the interval, and the majorant right of it, are from the steps."""
        left, right = interval.left + 1, interval.right
        before, behind = self.ranks[:left] + 1 - self.minorant[:left], self.majorant[right:] - self.ranks[right:]
        return float(max(before.max(), behind.max()))


def _hull(places: Floats, values: Floats) -> NDArray[np.intp]:
    """Return the indices of the points that the greatest convex function below all of them touches at its corners."""
    hull: list[int] = []
    for index in range(len(places)):
        while len(hull) > 1 and _turns_right(places, values, hull[-2], hull[-1], index):
            hull.pop()
        hull.append(index)
    return np.asarray(hull, dtype=np.intp)


def _turns_right(places: Floats, values: Floats, first: int, middle: int, last: int) -> bool:
    rise, run = values[middle] - values[first], places[middle] - places[first]
    return bool((values[last] - values[first]) * run <= rise * (places[last] - places[first]))


def _cut(ordered: Floats) -> int:
    """Return how many of the ascending values are in the lower group of the best two."""
    counts = np.arange(1, len(ordered))
    sums = np.cumsum(ordered)
    below = sums[:-1] / counts
    above = (sums[-1] - sums[:-1]) / (len(ordered) - counts)
    return int(np.argmax(counts * (len(ordered) - counts) * (above - below) ** 2)) + 1


def _without_steps(values: Floats, generator: np.random.Generator) -> Floats:
    """Spread values over the clock's steps: a coarse clock's few distinct values are not modes of the machine."""
    distinct = np.unique(values)
    step = float(np.diff(distinct).min())
    return values + generator.uniform(-step / 2, step / 2, len(values))
