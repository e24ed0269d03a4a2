"""LeNet-300-100, the fully connected network of the pruning literature."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn


class LeNet300(nn.Module):
    """Two hidden layers, of 300 and 100 neurons if not said otherwise: 266,610 parameters with ten classes.

    Input ``[N, 1, 28, 28]``, output ``[N, classes]`` (logits).
    """

    def __init__(self, classes: int = 10, hidden: Sequence[int] = (300, 100)) -> None:
        super().__init__()
        if len(hidden) != 2 or min(hidden) < 1:
            raise ValueError(f"lenet300: hidden must be two positive sizes, not {list(hidden)}")
        first, second = hidden
        self.fc1 = nn.Linear(28 * 28, first)
        self.fc2 = nn.Linear(first, second)
        self.fc3 = nn.Linear(second, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits of a batch of images."""
        x = F.relu(self.fc1(x.flatten(1)))
        x = F.relu(self.fc2(x))
        logits: Tensor = self.fc3(x)
        return logits


def lenet300(classes: int = 10, hidden: Sequence[int] = (300, 100)) -> LeNet300:
    """Return a freshly initialised LeNet-300-100, or one with other sizes of its hidden layers."""
    return LeNet300(classes, hidden)
