"""Thresholds per layer: quality x standard deviation, the qualities from a sensitivity scan.

Han, Pool, Tran, Dally, "Learning both weights and connections for efficient neural networks" (2015): the threshold of
a layer is a quality parameter times the standard deviation of its weights, and how sensitive a layer is decides its
quality. The paper chose by hand; here one level, the loss that every layer alone may cause, sets all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from edgeprune.errors import UserError
from edgeprune.pruning.sensitivity import LayerCurve, Spread

# Layers that lose nothing share one quality: a unit of it weighs like a thousandth of what is measured.
_PER_QUALITY = 1e-3
_HALVINGS = 100


def choose_qualities(curves: Sequence[LayerCurve], spreads: Mapping[str, Spread], amount: float) -> dict[str, float]:
    """Return a quality per parameter, so that ``amount`` of all their weights is below the thresholds.

    Every layer gets the largest quality whose loss, read off its curve (made monotone, straight between points), is
    not above a level common to all; bisection finds the level whose total is nearest to the amount, which is exact
    unless weights tie. At least one weight of every layer lives.

    Raises:
        UserError: no thresholds reach the amount.
    """
    total = sum(len(found.magnitudes) for found in spreads.values())
    wanted = int(total * amount + 0.5)
    low, high = 0.0, max(float(_costs(curve)[-1]) for curve in curves)
    reached = _count(_at(curves, high), spreads)
    if reached < wanted - len(curves):
        raise UserError(f"prune.amount: thresholds can hold {reached:,} of {total:,} weights at zero, not {wanted:,}")
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if _count(_at(curves, middle), spreads) >= wanted else (middle, high)
    return min((_at(curves, level) for level in (high, low)), key=lambda found: abs(_count(found, spreads) - wanted))


def _costs(curve: LayerCurve) -> NDArray[np.float64]:
    """Return the loss at each point, growing strictly with the quality."""
    values = np.array([point.value for point in curve.points])
    qualities = np.array([point.quality for point in curve.points])
    costs: NDArray[np.float64] = np.maximum.accumulate(values[0] - values) + _PER_QUALITY * qualities
    return costs


def _at(curves: Sequence[LayerCurve], level: float) -> dict[str, float]:
    return {
        curve.parameter: float(np.interp(level, _costs(curve), [point.quality for point in curve.points]))
        for curve in curves
    }


def _count(qualities: Mapping[str, float], spreads: Mapping[str, Spread]) -> int:
    return sum(int(spreads[name].dead(quality).sum()) for name, quality in qualities.items())
