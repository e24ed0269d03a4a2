"""What every source gives before it is split, and the checks they share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from edgeprune.errors import UserError


@dataclass(frozen=True)
class Loaded:
    """A training split, a test split where the source has one, and the names of the classes."""

    train: Dataset[Any]
    test: Dataset[Any] | None
    classes: tuple[str, ...]
    source: str


def shape_text(shape: tuple[int, ...]) -> str:
    """Return ``1x28x28`` for ``(1, 28, 28)``."""
    return "x".join(str(size) for size in shape)


def labels_tensor(labels: NDArray[Any], *, samples: int, source: str) -> Tensor:
    """Return integer class labels ``[N]`` (or ``[N, 1]``) as int64 ``[N]``.

    Raises:
        UserError: not integers, not one per sample, or negative.
    """
    if labels.dtype.kind not in "iu":
        raise UserError(f"{source}: labels must be integers, not {labels.dtype}")
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.shape != (samples,):
        raise UserError(f"{source}: {samples} samples need labels of shape ({samples},), not {labels.shape}")
    if samples == 0:
        raise UserError(f"{source}: there are no samples")
    if labels.dtype.kind == "i" and int(labels.min()) < 0:
        position = int(labels.argmin())
        raise UserError(f"{source}: label {int(labels[position])} at {position} is negative; number classes from 0")
    return torch.from_numpy(labels.astype(np.int64))
