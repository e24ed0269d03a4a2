"""Verdicts that the samples and their clock give by themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeprune.measuring.modes import two_modes
from edgeprune.measuring.statistics import Latency, drift

NOISE_LIMIT = 0.05
_DRIFT_LIMIT = 0.05
_DRIFT_NEEDS = 40
# The kernel corrects its clock by at most 0.05 % (MAXFREQ in include/linux/timex.h); more is a jump.
_CLOCK_LIMIT = 0.001
_CLOCK_NOISE_NS = 1e6
_PAUSE_FACTOR = 100
_PAUSE_NS = 1e8


def sample_verdicts(
    samples_ns: NDArray[np.int64], latency: Latency, clock: Mapping[str, Any]
) -> Iterator[tuple[str, str]]:
    """Yield name and detail of every verdict on the samples, in the order they were taken, and on their clock."""
    yield from _noise(latency)
    yield from _drift(samples_ns)
    yield from _modes(samples_ns)
    yield from _clock(clock)
    yield from _pause(latency)


def _noise(latency: Latency) -> Iterator[tuple[str, str]]:
    width = latency.p50_interval.high - latency.p50_interval.low
    if width > NOISE_LIMIT * latency.p50:
        share = f"{100 * width / latency.p50:.1f} % of it" if latency.p50 > 0 else "and the median is 0"
        yield "noisy", f"the 95 % interval of the median is {width:.0f} ns wide, {share}"


def _drift(samples_ns: NDArray[np.int64]) -> Iterator[tuple[str, str]]:
    if len(samples_ns) < _DRIFT_NEEDS:
        return
    found = drift(samples_ns)
    if found.certain and abs(found.change) > _DRIFT_LIMIT:
        yield "drifting", f"the last quarter's median is {100 * found.change:+.1f} % off the first quarter's"


def _modes(samples_ns: NDArray[np.int64]) -> Iterator[tuple[str, str]]:
    found = two_modes(samples_ns)
    if found is not None:
        yield (
            "bimodal",
            f"{100 * found.slow_share:.0f} % of the samples are around {found.slow / 1000:.4g} us, the others around "
            f"{found.fast / 1000:.4g} us",
        )


def _clock(clock: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if clock["backwards"]:
        yield "clock jumped", f"it went backwards {clock['backwards']} times; those samples are recorded as 0"
    ahead = clock["elapsed_ns"] - clock["elapsed_raw_ns"]
    if abs(ahead) > max(_CLOCK_NOISE_NS, _CLOCK_LIMIT * clock["elapsed_raw_ns"]):
        yield (
            "clock jumped",
            f"it gained {ahead / 1e6:+.1f} ms on the hardware's in {clock['elapsed_raw_ns'] / 1e6:.0f} ms",
        )


def _pause(latency: Latency) -> Iterator[tuple[str, str]]:
    """A sample far beyond any other: the clock jumped with the hardware's, or the whole machine stood still."""
    if latency.max > max(_PAUSE_NS, _PAUSE_FACTOR * latency.p50):
        yield "paused", f"one inference took {latency.max / 1e6:.0f} ms, the median {latency.p50 / 1000:.4g} us"
