"""Learning from a teacher's answers beside the labels."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgeprune.evaluation_mode import evaluation_mode
from edgeprune.training.checkpoint import state_digest


@dataclass(frozen=True)
class Distillation:
    """A teacher, the weight of its answers in [0, 1], and the temperature at which they are compared."""

    teacher: nn.Module
    weight: float
    temperature: float

    def fingerprint(self) -> str:
        """Return a text that changes when another loss would result."""
        return f"{self.weight} {self.temperature} {state_digest(self.teacher.state_dict())}"

    def loss(self, samples: Tensor, logits: Tensor, cross_entropy: Tensor) -> Tensor:
        """Return ``(1 - weight) * cross_entropy + weight * T^2 * KL(teacher / T || student / T)``, a batch's mean.

        Hinton, Vinyals, Dean, "Distilling the knowledge in a neural network" (2015); the square keeps the two parts'
        gradients in proportion at any temperature. The teacher answers in evaluation mode.
        """
        with evaluation_mode(self.teacher), torch.no_grad():
            answers = F.softmax(self.teacher(samples) / self.temperature, dim=1)
        softened = F.log_softmax(logits / self.temperature, dim=1)
        divergence = F.kl_div(softened, answers, reduction="batchmean") * self.temperature**2
        return (1 - self.weight) * cross_entropy + self.weight * divergence
