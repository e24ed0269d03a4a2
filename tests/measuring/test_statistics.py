import math

import numpy as np
import pytest

from edgeprune.measuring.compare_interleaved import summarise_rounds
from edgeprune.measuring.statistics import Drift, drift, median_interval, nearest_rank, stream_interval, summarise


def test_summary_of_one_to_ten() -> None:
    latency = summarise(np.array([10, 3, 1, 2, 9, 4, 8, 5, 7, 6]))
    assert (latency.n, latency.min, latency.p50, latency.p90, latency.p99, latency.max, latency.mean) == (
        10, 1, 5.5, 9, None, 10, 5.5,
    )  # fmt: skip
    assert latency.std == pytest.approx(math.sqrt(82.5 / 9))


def test_p99_is_given_from_a_hundred_samples_on() -> None:
    assert summarise(np.arange(1, 100)).p99 is None
    assert summarise(np.arange(1, 101)).p99 == 99
    assert summarise(np.arange(1, 1001)).p99 == 990


def test_five_windows_as_in_mlperf_tiny() -> None:
    samples = np.array([1, 3, 10, 10, 20, 20, 5, 5, 4, 6, 1000])
    latency = summarise(samples)
    assert (latency.windows, latency.windows_median) == ((2, 10, 20, 5, 5), 5)
    assert (summarise(samples[:4]).windows, summarise(samples[:4]).windows_median) == ((), None)


def test_a_single_sample_has_no_spread() -> None:
    latency = summarise(np.array([7]))
    assert (latency.p50, latency.std, latency.p50_interval.low, latency.p50_interval.high) == (7, 0, 7, 7)


def test_no_samples_are_refused() -> None:
    with pytest.raises(ValueError, match="no samples"):
        summarise(np.array([]))


@pytest.mark.parametrize(("fraction", "expected"), [(0.5, 2), (0.51, 3), (0.75, 3), (0.76, 4), (1.0, 4)])
def test_nearest_rank(fraction: float, expected: float) -> None:
    assert nearest_rank(np.array([1, 2, 3, 4]), fraction) == expected


def bootstrap_median_at_most(n: int, k: int) -> float:
    """P(median of an odd bootstrap sample <= k-th smallest): at least (n + 1) / 2 of n draws fall among the k least."""
    p = k / n
    return sum(math.comb(n, hits) * p**hits * (1 - p) ** (n - hits) for hits in range((n + 1) // 2, n + 1))


@pytest.mark.parametrize("n", [5, 11, 101, 301])
def test_the_interval_has_the_exact_bootstrap_quantiles(n: int) -> None:
    values = np.arange(1, n + 1)
    exact_low = next(k for k in range(1, n + 1) if bootstrap_median_at_most(n, k) >= 0.025)
    exact_high = next(k for k in range(1, n + 1) if bootstrap_median_at_most(n, k) >= 0.975)
    interval = median_interval(values, seed=3, resamples=200_000)
    # One rank of tolerance where ranks are so dense that the tail probabilities nearly coincide.
    slack = 0 if n < 50 else 1
    assert abs(interval.low - exact_low) <= slack
    assert abs(interval.high - exact_high) <= slack


def test_an_even_number_agrees_with_plain_resampling() -> None:
    generator = np.random.default_rng(0)
    values = generator.exponential(100, 40)
    plain = np.median(generator.choice(values, (50_000, 40)), axis=1)
    interval = median_interval(values, seed=1, resamples=50_000)
    spread = plain.std()
    assert interval.low == pytest.approx(np.quantile(plain, 0.025), abs=0.05 * spread)
    assert interval.high == pytest.approx(np.quantile(plain, 0.975), abs=0.05 * spread)


def test_the_interval_covers_the_true_median_as_often_as_it_says() -> None:
    generator = np.random.default_rng(5)
    covered = 0
    for trial in range(400):
        interval = median_interval(generator.normal(50, 1, 101), seed=trial, resamples=1000)
        covered += interval.low <= 50 <= interval.high
    assert 0.92 <= covered / 400 <= 0.98


def test_same_seed_same_interval() -> None:
    values = np.random.default_rng(2).normal(1000, 50, 300)
    assert median_interval(values, seed=9) == median_interval(values, seed=9)
    assert median_interval(values, seed=9) != median_interval(values, seed=10)


def plain_block_medians(values: np.ndarray, seed: int) -> np.ndarray:
    """Twenty blocks drawn with replacement and laid out one after the other, as the method is defined."""
    blocks = values[: len(values) // 20 * 20].reshape(20, -1)
    drawn = np.random.default_rng(seed).integers(0, 20, (4000, 20))
    return np.median(blocks[drawn].reshape(4000, -1), axis=1)


@pytest.mark.parametrize("n", [60, 201, 5000])
def test_blocks_of_a_stream_are_resampled_whole(n: int) -> None:
    slow = np.repeat(np.random.default_rng(1).normal(1000, 50, 30), -(-n // 30))[:n]
    values = slow + np.random.default_rng(2).normal(0, 1, n)
    plain = plain_block_medians(values, seed=3)
    interval = stream_interval(values, seed=4, resamples=20_000)
    assert interval.low == pytest.approx(np.quantile(plain, 0.025), abs=0.15 * plain.std())
    assert interval.high == pytest.approx(np.quantile(plain, 0.975), abs=0.15 * plain.std())


def wandering(generator: np.random.Generator, n: int) -> np.ndarray:
    """Samples around 1000 that a slow state of the machine moves, fifty in a row at a time."""
    return 1000 + np.repeat(generator.normal(0, 20, n // 50), 50) + generator.normal(0, 5, n)


def test_a_streams_interval_covers_the_median_where_successive_samples_move_together() -> None:
    generator = np.random.default_rng(6)
    covered = {"single": 0, "stream": 0}
    for trial in range(200):
        values = wandering(generator, 5000)
        for name, method in (("single", median_interval), ("stream", stream_interval)):
            interval = method(values, seed=trial, resamples=500)
            covered[name] += interval.low <= 1000 <= interval.high
    assert covered["single"] / 200 < 0.4
    assert covered["stream"] / 200 > 0.88


def test_a_streams_interval_is_never_narrower_than_that_of_single_samples() -> None:
    alternating = np.tile([1000, 2000], 20)
    single, stream = median_interval(alternating, seed=0), stream_interval(alternating, seed=0)
    assert (stream.low, stream.high) == (single.low, single.high) == (1000, 2000)


def test_few_samples_make_no_blocks() -> None:
    values = np.random.default_rng(2).normal(1000, 50, 39)
    assert stream_interval(values, seed=9) == median_interval(values, seed=9)


def test_drift_compares_the_outer_quarters() -> None:
    rising = drift(np.array([100, 100, 500, 500, 500, 500, 110, 110]))
    assert rising.change == pytest.approx(0.10)
    assert rising.certain
    assert drift(np.array([10, 10, 10, 10])) == Drift(0.0, certain=False)
    with pytest.raises(ValueError, match="at least 4"):
        drift(np.array([1, 2, 3]))


def test_two_modes_are_no_drift() -> None:
    assert not drift(np.tile([1000, 2000], 50)).certain


def test_interleaved_rounds_give_the_ratio_in_spite_of_a_common_drift() -> None:
    slowdown = np.linspace(1, 3, 20)[:, None]
    noise = np.random.default_rng(4).integers(-2, 3, (20, 50))
    first = (slowdown * 4000 + noise).astype(np.int64)
    second = (slowdown * 1000 + noise).astype(np.int64)
    comparison = summarise_rounds("board", first, second)
    assert comparison.ratio == pytest.approx(4, rel=0.005)
    assert 3.98 < comparison.ratio_interval.low <= comparison.ratio <= comparison.ratio_interval.high < 4.02
    assert (comparison.rounds, comparison.samples_per_round, comparison.first.n) == (20, 50, 1000)
