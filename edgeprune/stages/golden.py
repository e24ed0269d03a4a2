"""The golden records: inputs every artifact must answer as ONNX Runtime does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

GOLDEN = "golden.safetensors"
TOLERANCE = 1e-4
"""Largest relative error at the borders torch | ONNX Runtime | kernels | board, float32 throughout."""


def load_golden(path: Path) -> dict[str, NDArray[np.float32]]:
    """Return ``inputs`` ``(N, *input)`` and each variant's outputs ``(N, *output)``."""
    return load_file(path)
