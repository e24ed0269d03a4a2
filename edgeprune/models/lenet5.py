"""LeNet-5 in the Caffe variant that the pruning literature compares on."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class LeNet5(nn.Module):
    """Two convolutions, two dense layers: 431,080 parameters with ten classes.

    Input ``[N, 1, 28, 28]``, output ``[N, classes]`` (logits). Layer sizes as in Caffe's ``lenet.prototxt``, on which
    Han et al. (2015, "Learning both weights and connections") and their successors report: no activation after the
    convolutions, a rectifier only after ``fc1``.
    """

    def __init__(self, classes: int = 10) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 20, 5)
        self.conv2 = nn.Conv2d(20, 50, 5)
        self.fc1 = nn.Linear(50 * 4 * 4, 500)
        self.fc2 = nn.Linear(500, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits of a batch of images."""
        x = F.max_pool2d(self.conv1(x), 2)
        x = F.max_pool2d(self.conv2(x), 2)
        x = F.relu(self.fc1(x.flatten(1)))
        logits: Tensor = self.fc2(x)
        return logits


def lenet5(classes: int = 10) -> LeNet5:
    """Return a freshly initialised LeNet-5."""
    return LeNet5(classes)
