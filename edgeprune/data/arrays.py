"""A data set that lies in memory and gives whole batches by one indexing operation."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.utils.data import Dataset


class ArrayDataset(Dataset[tuple[Tensor, int]]):
    """Samples and labels in memory, normalised when they are read.

    ``samples`` is ``[N, ...]``, uint8 (scaled to [0, 1] by 1/255) or float32 (taken as already in [0, 1]); one that is
    read is ``(x - mean) / std`` in float32. ``labels`` is int64 ``[N]``. Bytes stay bytes until they are read: a
    quarter of the memory, for a conversion that costs nothing beside a training step.
    """

    def __init__(self, samples: Tensor, labels: Tensor, *, mean: float = 0.0, std: float = 1.0) -> None:
        if samples.dtype not in (torch.uint8, torch.float32) or labels.dtype != torch.int64:
            raise TypeError(f"samples must be uint8 or float32, labels int64, not {samples.dtype} and {labels.dtype}")
        if labels.shape != samples.shape[:1]:
            raise ValueError(f"{len(samples)} samples do not go with labels of shape {tuple(labels.shape)}")
        self.samples = samples
        self.labels = labels
        self.mean = mean
        self.std = std

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self._normalised(self.samples[index]), int(self.labels[index])

    def batch(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        """Return samples (float32 ``[n, ...]``) and labels (int64 ``[n]``) at ``indices`` (int64 ``[n]``)."""
        return self._normalised(self.samples[indices]), self.labels[indices]

    def select(self, indices: Tensor) -> ArrayDataset:
        """Return a data set of the samples at ``indices``, in that order."""
        return ArrayDataset(self.samples[indices], self.labels[indices], mean=self.mean, std=self.std)

    def _normalised(self, samples: Tensor) -> Tensor:
        values = samples.to(torch.float32, copy=True)
        if samples.dtype == torch.uint8:
            values /= 255
        values -= self.mean
        values /= self.std
        return values
