"""The one comparison used at every border of the pipeline and in the tests."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from edgeprune.errors import ParityError


@dataclass(frozen=True)
class Parity:
    """Outcome of comparing the two sides of a border.

    ``relative_error`` is ``max|actual - expected| / max|expected|`` over all elements of all outputs;
    ``absolute_error`` is its numerator.
    """

    border: str
    relative_error: float
    absolute_error: float
    tolerance: float
    elements: int

    def as_dict(self) -> dict[str, str | float | int]:
        """Return the fields as JSON-able values."""
        return asdict(self)


def compare(expected: NDArray[np.generic], actual: NDArray[np.generic], *, border: str, tolerance: float) -> Parity:
    """Compare two arrays of equal shape and return the errors found.

    ``border`` names the two sides ("torch | onnxruntime"), ``tolerance`` bounds the relative error.

    Raises:
        ParityError: the shapes differ, a value is not finite, or the error exceeds ``tolerance``;
            the message carries the worst position with both values and the tolerance.
    """
    if expected.shape != actual.shape:
        raise ParityError(f"{border}: shapes differ: {expected.shape} against {actual.shape}")
    left = np.asarray(expected, dtype=np.float64)
    right = np.asarray(actual, dtype=np.float64)
    for side, values in (("first", left), ("second", right)):
        if not np.isfinite(values).all():
            raise ParityError(f"{border}: the {side} side holds values that are not finite")
    if left.size == 0:
        raise ParityError(f"{border}: nothing to compare: the arrays are empty")
    difference = np.abs(left - right)
    worst = np.unravel_index(int(difference.argmax()), difference.shape)
    absolute = float(difference[worst])
    scale = float(np.abs(left).max())
    relative = absolute / scale if scale > 0 else (0.0 if absolute == 0 else float("inf"))
    if relative > tolerance:
        position = tuple(int(index) for index in worst)
        raise ParityError(
            f"{border}: outputs differ at {position}: {left[worst]:.9g} against {right[worst]:.9g} "
            f"(relative error {relative:.3g}, tolerance {tolerance:.3g})"
        )
    return Parity(border, relative, absolute, tolerance, left.size)
