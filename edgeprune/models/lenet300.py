"""LeNet-300-100, the fully connected network of the pruning literature."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class LeNet300(nn.Module):
    """Two hidden layers of 300 and 100 neurons: 266,610 parameters with ten classes.

    Input ``[N, 1, 28, 28]``, output ``[N, classes]`` (logits).
    """

    def __init__(self, classes: int = 10) -> None:
        super().__init__()
        self.fc1 = nn.Linear(28 * 28, 300)
        self.fc2 = nn.Linear(300, 100)
        self.fc3 = nn.Linear(100, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits of a batch of images."""
        x = F.relu(self.fc1(x.flatten(1)))
        x = F.relu(self.fc2(x))
        logits: Tensor = self.fc3(x)
        return logits


def lenet300(classes: int = 10) -> LeNet300:
    """Return a freshly initialised LeNet-300-100."""
    return LeNet300(classes)
