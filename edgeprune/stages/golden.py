"""The golden records: inputs every artifact must answer as ONNX Runtime does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

from edgeprune.stages.variant import Variant
from edgeprune.target import Target

GOLDEN = "golden.safetensors"
MADE = "made"
TOLERANCE = 1e-4
"""Largest relative error at the borders torch | ONNX Runtime | kernels | board, float32 throughout."""
HALF_TOLERANCE = 5e-2
"""The same for a board that computes in float16: a hundred roundings to 11 bits (docs/targets.md says why)."""


def tolerance_on(target: Target) -> float:
    """Return the largest relative error that a binary of ``target``'s precision may have against ONNX Runtime."""
    return TOLERANCE if target.cpu.precision == "float32" else HALF_TOLERANCE


def load_golden(path: Path) -> dict[str, NDArray[np.float32]]:
    """Return ``inputs`` ``(N, *input)`` and each variant's outputs ``(N, *output)``.

    Where a record is too large for an executable to carry, there are also ``made`` inputs ``(N, elements)`` and each
    variant's outputs of these, ``made.<variant>``.
    """
    return load_file(path)


def built_in_records(
    records: dict[str, NDArray[np.float32]], variant: Variant
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return inputs and outputs of the records that ``variant``'s executable checks itself with."""
    if MADE in records:
        return records[MADE], records[f"{MADE}.{variant}"]
    return records["inputs"], records[variant]
