"""The samples that data-driven pruning criteria look at."""

from __future__ import annotations

import torch
from torch import Tensor

from edgeprune.data import Splits
from edgeprune.training.batches import cut, read_batches, sample_count

SAMPLES = 1024
_BATCH = 128


def calibration_batches(splits: Splits, seed: int) -> list[tuple[Tensor, Tensor]]:
    """Return up to 1,024 training samples, drawn by seed, as batches of ``(samples, labels)``; never augmented."""
    order = torch.randperm(sample_count(splits.train), generator=torch.Generator().manual_seed(seed))
    return list(read_batches(splits.train, cut(order[:SAMPLES], _BATCH)))
