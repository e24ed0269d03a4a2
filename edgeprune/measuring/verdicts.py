"""What a reader must know before trusting a latency."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeprune.measuring.board_verdicts import board_verdicts
from edgeprune.measuring.sample_verdicts import sample_verdicts
from edgeprune.measuring.statistics import Latency


@dataclass(frozen=True)
class Verdict:
    """A judgement on a measurement: its ``name`` ("noisy", "throttled", ...) and the figures behind it."""

    name: str
    detail: str


def judge(
    samples_ns: NDArray[np.int64],
    latency: Latency,
    environment: Mapping[str, Any],
    clock: Mapping[str, Any],
    *,
    cores_used: str | None = None,
    cooldown: Mapping[str, Any] | None = None,
) -> tuple[Verdict, ...]:
    """Return every verdict that applies; none means that nothing speaks against the figures.

    All but the first two are what the benchmark executable printed.
    """
    found = (*sample_verdicts(samples_ns, latency, clock), *board_verdicts(environment, cores_used, cooldown))
    return tuple(Verdict(name, detail) for name, detail in found)
