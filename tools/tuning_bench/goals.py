"""What the figures are held against, and the verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeprune.measuring.statistics import ratio_interval
from tuning_bench.networks import Kind

BEST_PEER = {"dense": 0.9, "pruned": 0.9, "odd": 0.8}
"""The largest allowed time over the fastest other engine's, by the kind of network."""

UNTUNED_OVER_ONNX_RUNTIME = 2.0
HALVED_MACS_SPEED = 1.8
FMLA_SHARE = 0.5
CANDIDATES_PER_SECOND = 4.0
START_SECONDS = 15.0
MEMORY_GIB = 4.0
WARM_SECONDS = 20.0
SHARE_OF_STOCK_TRIALS = 1 / 3


@dataclass(frozen=True)
class Verdict:
    """One goal against what came out: ``value``, with its interval where it has one, and the ``limit`` to keep.

    ``sense`` is ``<=`` or ``>=``. ``met`` is decided by ``value`` alone; without a value ``reason`` says why there is
    none, and ``met`` is ``None``, or ``False`` where the reason is that what should happen did not.
    """

    goal: str
    sense: str
    limit: float
    value: float | None
    low: float | None = None
    high: float | None = None
    met: bool | None = None
    reason: str | None = None

    @property
    def missed_by(self) -> float | None:
        """Return by which factor the limit is missed, ``None`` where it is met or nothing was measured."""
        if self.value is None or self.met:
            return None
        worse, better = (self.value, self.limit) if self.sense == "<=" else (self.limit, self.value)
        return worse / better if better else float("inf")


def at_most(goal: str, limit: float, value: float | None, interval: tuple[float, float] | None = None) -> Verdict:
    """Return the verdict on a value that must not exceed ``limit``."""
    return _verdict(goal, "<=", limit, value, interval)


def at_least(goal: str, limit: float, value: float | None, interval: tuple[float, float] | None = None) -> Verdict:
    """Return the verdict on a value that must reach ``limit``."""
    return _verdict(goal, ">=", limit, value, interval)


def not_measured(goal: str, sense: str, limit: float, reason: str) -> Verdict:
    """Return the verdict where there is no figure."""
    return Verdict(goal, sense, limit, None, reason=reason)


def never(goal: str, sense: str, limit: float, reason: str) -> Verdict:
    """Return the verdict where what the goal counts never happened."""
    return Verdict(goal, sense, limit, None, met=False, reason=reason)


def best_peer_limit(kind: Kind) -> float:
    """Return the goal of a network of this kind."""
    return BEST_PEER[kind]


@dataclass(frozen=True)
class Ratio:
    """The median over the rounds of one entrant's time over another's, with its bootstrap interval."""

    value: float
    low: float
    high: float


def ratio_of_rounds(ours: Sequence[float], theirs: Sequence[float]) -> Ratio:
    """Return the ratio of two entrants that took turns: their medians by round, in the same order."""
    ratios: NDArray[np.float64] = np.asarray(ours, dtype=np.float64) / np.asarray(theirs, dtype=np.float64)
    interval = ratio_interval(ratios, seed=0)
    return Ratio(float(np.median(ratios)), interval.low, interval.high)


def _verdict(goal: str, sense: str, limit: float, value: float | None, interval: tuple[float, float] | None) -> Verdict:
    if value is None:
        return not_measured(goal, sense, limit, "not measured")
    low, high = interval if interval is not None else (None, None)
    met = value <= limit if sense == "<=" else value >= limit
    return Verdict(goal, sense, limit, value, low, high, met)
