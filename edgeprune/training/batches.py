"""Cutting a data set into batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from edgeprune.data import ArrayDataset


def sample_count(dataset: Dataset[Any]) -> int:
    """Return the number of samples."""
    return len(dataset)  # type: ignore[arg-type]  # Dataset does not promise a length; every split has one


def cut(order: Tensor, batch_size: int) -> list[Tensor]:
    """Cut ``order`` (int64 ``[N]``) into batches; the last one may be short, but never a single sample among several.

    Batch normalisation cannot train on one sample, so a single one left over goes to the batch before.
    """
    parts = list(torch.split(order, batch_size))
    if len(parts) > 1 and len(parts[-1]) == 1:
        parts[-2:] = [torch.cat(parts[-2:])]
    return parts


def read_batches(dataset: Dataset[Any], parts: Sequence[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield samples (float32 ``[n, ...]``, channels last where they are images) and labels (int64 ``[n]``)."""
    if isinstance(dataset, ArrayDataset):
        batches: Iterator[Any] = (dataset.batch(part) for part in parts)
    else:
        # A generator of its own: the loader would otherwise draw from the stream that dropout uses.
        own = torch.Generator()
        batches = iter(DataLoader(dataset, batch_sampler=[part.tolist() for part in parts], generator=own))
    for samples, labels in batches:
        yield to_fast_layout(samples), labels.to(torch.int64)


def to_fast_layout(samples: Tensor) -> Tensor:
    """Return images in the channels-last layout: on a CPU convolutions train about 1.6 times faster in it."""
    return samples.contiguous(memory_format=torch.channels_last) if samples.dim() == 4 else samples
