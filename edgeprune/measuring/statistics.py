"""What a set of latency samples says: quantiles, spread, and how sure the median is."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

P99_NEEDS = 100
"""Samples below which a 99th percentile would only be the maximum under another name."""

WINDOWS = 5
"""MLPerf Tiny runs a network in five windows and reports the median of their means."""

_RESAMPLES = 4000
_BLOCKS = 20
_PLACES = 1000


@dataclass(frozen=True)
class Interval:
    """A two-sided interval at ``confidence`` (0.95: 95 %)."""

    low: float
    high: float
    confidence: float


@dataclass(frozen=True)
class Latency:
    """Statistics of ``n`` single-stream inferences; all values in nanoseconds.

    ``p50`` is the median; ``p90`` and ``p99`` are samples that occurred (nearest rank); ``p99`` is ``None`` below
    100 samples; ``std`` has n - 1 in its denominator and is 0 for a single sample. ``windows`` are the means of five
    equal runs of successive samples (the last n % 5 belong to none; below 5 samples there are no windows) and
    ``windows_median`` is their median, as MLPerf Tiny reports it.
    """

    n: int
    min: float
    p50: float
    p90: float
    p99: float | None
    max: float
    mean: float
    std: float
    p50_interval: Interval
    windows: tuple[float, ...]
    windows_median: float | None

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as JSON-able values."""
        return asdict(self)


def summarise(samples_ns: NDArray[np.generic], *, seed: int = 0) -> Latency:
    """Return the statistics of samples in nanoseconds in the order they were taken, shape ``(n,)`` with ``n >= 1``.

    Raises:
        ValueError: there is no sample.
    """
    values = _sorted_samples(samples_ns)
    windows = window_means(samples_ns)
    return Latency(
        n=len(values),
        min=float(values[0]),
        p50=float(np.median(values)),
        p90=nearest_rank(values, 0.90),
        p99=nearest_rank(values, 0.99) if len(values) >= P99_NEEDS else None,
        max=float(values[-1]),
        mean=float(values.mean()),
        std=float(values.std(ddof=1)) if len(values) > 1 else 0.0,
        p50_interval=stream_interval(samples_ns, seed=seed),
        windows=windows,
        windows_median=float(np.median(windows)) if windows else None,
    )


def window_means(samples_ns: NDArray[np.generic]) -> tuple[float, ...]:
    """Return the means of `WINDOWS` equal runs of successive samples, or nothing where there are fewer samples."""
    values = np.asarray(samples_ns, dtype=np.float64).ravel()
    length = len(values) // WINDOWS
    return tuple(values[: length * WINDOWS].reshape(WINDOWS, length).mean(axis=1).tolist()) if length else ()


def nearest_rank(values: NDArray[np.generic], fraction: float) -> float:
    """Return the smallest sample that at least ``fraction`` of the samples do not exceed."""
    return float(np.quantile(np.asarray(values, dtype=np.float64), fraction, method="inverted_cdf"))


def median_interval(
    values: NDArray[np.generic], *, seed: int, confidence: float = 0.95, resamples: int = _RESAMPLES
) -> Interval:
    """Return the percentile-bootstrap interval of the median (Efron, 1979), the same for the same seed.

    A bootstrap sample's median depends on one or two order statistics of its n uniform draws, and these follow Beta
    distributions (David and Nagaraja, Order Statistics, 2.2): drawing them directly gives the same interval as
    resampling all n values, in time that does not grow with n. Like any bootstrap of single values it takes them as
    independent; `stream_interval` does not.

    Raises:
        ValueError: there is no value.
    """
    ordered = _sorted_samples(values)
    medians = _bootstrap_medians(ordered, np.random.default_rng(seed), resamples)
    tail = (1 - confidence) / 2
    low, high = np.quantile(medians, [tail, 1 - tail], method="inverted_cdf")
    return Interval(float(low), float(high), confidence)


def stream_interval(
    samples: NDArray[np.generic], *, seed: int, confidence: float = 0.95, resamples: int = _RESAMPLES
) -> Interval:
    """Return the interval of the median of samples that depend on the ones before them, in the order they were taken.

    It reaches as far as `median_interval`'s, and as far as that of a bootstrap which draws 20 blocks of successive
    samples instead of single ones (Carlstein, 1986): what slows a machine for a while slows many samples in a row, and
    10 000 of them then say little more than 20 would. Fewer than 40 samples make no blocks. Above 1000 samples the
    blocks' median is looked for among every n/1000-th order statistic.

    Raises:
        ValueError: there is no sample.
    """
    values = np.asarray(samples, dtype=np.float64).ravel()
    single = median_interval(values, seed=seed, confidence=confidence, resamples=resamples)
    if len(values) < 2 * _BLOCKS:
        return single
    length = len(values) // _BLOCKS
    blocks = values[: length * _BLOCKS].reshape(_BLOCKS, length)
    medians = _medians_of_blocks(blocks, np.random.default_rng(seed), resamples)
    tail = (1 - confidence) / 2
    low, high = np.quantile(medians, [tail, 1 - tail], method="inverted_cdf")
    return Interval(min(float(low), single.low), max(float(high), single.high), confidence)


def _medians_of_blocks(
    blocks: NDArray[np.float64], generator: np.random.Generator, resamples: int
) -> NDArray[np.float64]:
    """Return the medians of ``resamples`` samples, each of as many rows of ``blocks`` drawn with replacement."""
    count, total = len(blocks), blocks.size
    ordered = np.sort(blocks, axis=None)
    candidates = ordered[np.unique(-(-np.arange(1, _PLACES + 1) * total // _PLACES)) - 1]
    # Of each block, how many samples do not exceed each candidate.
    below = np.stack([np.searchsorted(np.sort(block), candidates, side="right") for block in blocks])
    drawn = generator.multinomial(count, np.full(count, 1 / count), size=resamples)
    ranks = drawn @ below
    lower = np.argmax(2 * ranks >= total, axis=1)
    upper = np.argmax(2 * ranks > total, axis=1)
    medians: NDArray[np.float64] = (candidates[lower] + candidates[upper]) / 2
    return medians


def ratio_interval(
    ratios: NDArray[np.generic], *, seed: int, confidence: float = 0.95, resamples: int = _RESAMPLES
) -> Interval:
    """Return the bootstrap interval of the median of per-round ratios, shape ``(rounds,)``: see `median_interval`."""
    return median_interval(ratios, seed=seed, confidence=confidence, resamples=resamples)


@dataclass(frozen=True)
class Drift:
    """A slow change during a run: the last quarter's median against the first's.

    ``change`` is a fraction of the first (0.1: 10 % slower at the end); it is ``certain`` when the bootstrap intervals
    of the two medians do not touch, so that noise alone does not look like a drift.
    """

    change: float
    certain: bool


def drift(samples_ns: NDArray[np.generic], *, seed: int = 0) -> Drift:
    """Compare the outer quarters of samples in the order they were taken, shape ``(n,)`` with ``n >= 4``.

    Raises:
        ValueError: there are fewer than four samples.
    """
    quarter = len(samples_ns) // 4
    if quarter == 0:
        raise ValueError(f"drift needs at least 4 samples, not {len(samples_ns)}")
    values = np.asarray(samples_ns, dtype=np.float64)
    first, last = values[:quarter], values[-quarter:]
    before, after = median_interval(first, seed=seed), median_interval(last, seed=seed)
    base, shift = float(np.median(first)), float(np.median(last) - np.median(first))
    change = shift / base if base else math.copysign(math.inf, shift) if shift else 0.0
    return Drift(change, certain=after.low > before.high or after.high < before.low)


def _bootstrap_medians(
    ordered: NDArray[np.float64], generator: np.random.Generator, resamples: int
) -> NDArray[np.float64]:
    n = len(ordered)
    rank = (n + 1) // 2
    lower = generator.beta(rank, n - rank + 1, resamples)
    if n % 2 == 1:
        return _draw(ordered, lower)
    # The next order statistic is the least of the n - rank draws that fell above.
    upper = lower + (1 - lower) * generator.beta(1, n - rank, resamples)
    return (_draw(ordered, lower) + _draw(ordered, upper)) / 2


def _draw(ordered: NDArray[np.float64], uniform: NDArray[np.float64]) -> NDArray[np.float64]:
    return ordered[np.minimum((uniform * len(ordered)).astype(np.int64), len(ordered) - 1)]


def _sorted_samples(samples: NDArray[np.generic]) -> NDArray[np.float64]:
    values = np.sort(np.asarray(samples, dtype=np.float64).ravel())
    if len(values) == 0:
        raise ValueError("statistics of no samples")
    return values
