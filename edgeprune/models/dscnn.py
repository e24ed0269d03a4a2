"""A depthwise-separable network of the size small cameras and keyword spotters run."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class SeparableBlock(nn.Module):
    """Depthwise 3x3 and pointwise convolution, each with batch normalisation and rectifier (MobileNet v1)."""

    def __init__(self, channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, 3, stride, padding=1, groups=channels, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.pointwise = nn.Conv2d(channels, out_channels, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``[N, out_channels, H / stride, W / stride]``."""
        x = F.relu(self.bn1(self.depthwise(x)))
        return F.relu(self.bn2(self.pointwise(x)))


class DSCNN(nn.Module):
    """A full convolution, ``blocks`` separable ones, average pooling and a dense layer.

    Input ``[N, 1, 28, 28]``, output ``[N, classes]`` (logits). The first convolution brings 28x28 to 14x14; the block
    in the middle halves the size again and doubles the channels from ``width`` to ``2 * width``.
    """

    def __init__(self, width: int = 32, blocks: int = 4, classes: int = 10) -> None:
        super().__init__()
        if width < 1 or blocks < 1:
            raise ValueError(f"dscnn: width and blocks must be at least 1, not {width} and {blocks}")
        self.conv1 = nn.Conv2d(1, width, 3, stride=2, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        middle = blocks // 2
        stages = [
            SeparableBlock(width if i <= middle else 2 * width, width if i < middle else 2 * width, 1 + (i == middle))
            for i in range(blocks)
        ]
        self.blocks = nn.Sequential(*stages)
        self.fc = nn.Linear(2 * width, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits of a batch of images."""
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.blocks(x)
        x = F.adaptive_avg_pool2d(x, 1).flatten(1)
        logits: Tensor = self.fc(x)
        return logits


def dscnn(width: int = 32, blocks: int = 4, classes: int = 10) -> DSCNN:
    """Return a freshly initialised depthwise-separable network."""
    return DSCNN(width, blocks, classes)
