"""A data set and a network small enough to train within a test."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from edgeprune.data import ArrayDataset, Splits


def blobs(count: int, seed: int) -> ArrayDataset:
    """Images 1x6x6 of two classes that a small network can tell apart."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 2, (count,), generator=generator)
    images = torch.rand(count, 1, 6, 6, generator=generator) * 0.5
    images[:, 0, 2:4, 2:4] += labels[:, None, None] * 0.5
    return ArrayDataset(images, labels)


def make_splits() -> Splits:
    return Splits(blobs(90, 1), blobs(30, 2), blobs(30, 3), ("dark", "bright"), (1, 6, 6), "blobs")


class TinyNet(nn.Module):
    """Convolution, normalisation, dropout, dense: everything whose state a resumed run must get right."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3)
        self.bn1 = nn.BatchNorm2d(8)
        self.fc1 = nn.Linear(8 * 16, 12)
        self.fc2 = nn.Linear(12, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.bn1(self.conv1(x))).flatten(1)
        x = nn.functional.dropout(torch.relu(self.fc1(x)), 0.2, self.training)
        return self.fc2(x)


def make_model(seed: int = 0) -> TinyNet:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return TinyNet()


def same_state(left: nn.Module, right: nn.Module) -> bool:
    one, other = left.state_dict(), right.state_dict()
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
