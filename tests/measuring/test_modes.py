"""Two modes are found where there are two, and nowhere else; the dip is Hartigan's."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from edgeprune.measuring.modes import CRITICAL_ROOT_DIP, dip, two_modes


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        # By hand: evenly spread values are as near to a line as any; two far groups are half a group's share off.
        ([1, 2, 3, 4], 1 / 8),
        ([0, 1, 100, 101], 1 / 4 - 1 / 400),
        # As the package diptest 0.12 gives them for the same values.
        ([0.0, 0.1, 0.2, 0.3, 5.0, 5.1, 5.2, 5.4, 5.6], 0.20888888888888887),
        ([1.0, 1.5, 1.7, 3.0, 8.0, 8.3, 8.4, 9.9, 20.0, 21.0], 1 / 7),
    ],
)
def test_dips(values: list[float], expected: float) -> None:
    assert dip(np.asarray(values, dtype=np.float64)) == pytest.approx(expected, abs=1e-12)


def test_the_critical_value_is_that_of_uniform_samples() -> None:
    generator = np.random.default_rng(0)
    found = [dip(np.sort(generator.uniform(size=300))) * math.sqrt(300) for _ in range(600)]
    assert np.quantile(found, 0.99) == pytest.approx(CRITICAL_ROOT_DIP, abs=0.05)


def of_one_mode(kind: str, count: int) -> NDArray[np.float64]:
    generator = np.random.default_rng(count)
    shapes = {
        "normal": lambda: generator.normal(5000, 200, count),
        "uniform": lambda: generator.uniform(4000, 6000, count),
        "long tail": lambda: 5000 + 300 * generator.exponential(1, count),
        "rare outliers": lambda: np.where(generator.random(count) < 0.05, 20000, generator.normal(5000, 50, count)),
        "coarse clock": lambda: 125 / 3 * np.round(generator.normal(5000, 60, count) / (125 / 3)),
    }
    return shapes[kind]()


@pytest.mark.parametrize("kind", ["normal", "uniform", "long tail", "rare outliers", "coarse clock"])
@pytest.mark.parametrize("count", [60, 1000, 20_000])
def test_one_mode(kind: str, count: int) -> None:
    assert two_modes(of_one_mode(kind, count)) is None


@pytest.mark.parametrize("count", [200, 1000, 20_000])
@pytest.mark.parametrize(("share", "gap"), [(0.5, 0.1), (0.3, 0.08), (0.15, 0.5)])
def test_two_modes(count: int, share: float, gap: float) -> None:
    generator = np.random.default_rng(7)
    slow = generator.random(count) < share
    found = two_modes(generator.normal(5000, 50, count) * np.where(slow, 1 + gap, 1))
    assert found is not None
    assert found.fast == pytest.approx(5000, rel=0.01)
    assert found.slow == pytest.approx(5000 * (1 + gap), rel=0.01)
    assert found.slow_share == pytest.approx(share, abs=0.07)


def test_modes_nearer_than_five_percent_do_not_matter() -> None:
    generator = np.random.default_rng(7)
    assert two_modes(generator.normal(5000, 5, 1000) * np.where(generator.random(1000) < 0.5, 1.03, 1)) is None


def test_too_few_or_equal_samples_say_nothing() -> None:
    assert two_modes(np.tile([1000, 2000], 24)) is None
    assert two_modes(np.full(1000, 5000)) is None
