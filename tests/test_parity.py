from __future__ import annotations

import numpy as np
import pytest

from edgeprune.errors import ParityError
from edgeprune.parity import compare


def test_error_is_relative_to_the_largest_expected_value() -> None:
    parity = compare(np.array([0.0, 4.0]), np.array([0.002, 4.0]), border="a | b", tolerance=1e-3)
    assert (parity.absolute_error, parity.relative_error, parity.elements) == (0.002, 0.0005, 2)


def test_a_difference_beyond_the_tolerance_shows_both_values() -> None:
    with pytest.raises(ParityError) as error:
        compare(np.array([[1.0, 2.0]]), np.array([[1.0, 2.5]]), border="torch | onnxruntime", tolerance=1e-4)
    assert str(error.value) == (
        "torch | onnxruntime: outputs differ at (0, 1): 2 against 2.5 (relative error 0.25, tolerance 0.0001)"
    )


@pytest.mark.parametrize(
    ("expected", "actual", "message"),
    [
        (np.zeros(2), np.zeros(3), r"shapes differ: \(2,\) against \(3,\)"),
        (np.zeros(2), np.array([0.0, np.nan]), "the second side holds values that are not finite"),
        (np.zeros(0), np.zeros(0), "nothing to compare"),
        (np.zeros(1), np.full(1, 1e-9), "relative error inf"),
    ],
)
def test_what_cannot_be_compared_fails(expected: np.ndarray, actual: np.ndarray, message: str) -> None:
    with pytest.raises(ParityError, match=message):
        compare(expected, actual, border="a | b", tolerance=1.0)
