"""Accuracy of a network on a split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import Dataset

from edgeprune.data import Splits
from edgeprune.errors import UserError
from edgeprune.evaluation_mode import evaluation_mode
from edgeprune.training.batches import cut, read_batches, sample_count


@dataclass(frozen=True)
class Accuracy:
    """Correct answers out of ``total``, and the mean cross-entropy per sample."""

    correct: int
    total: int
    loss: float

    @property
    def fraction(self) -> float:
        """Share of correct answers, in [0, 1]."""
        return self.correct / self.total


def evaluate(model: nn.Module, dataset: Dataset[Any], batch_size: int = 500) -> Accuracy:
    """Return the model's accuracy on ``dataset`` in evaluation mode; the model is left in the mode it was in."""
    correct, loss, total = 0, 0.0, sample_count(dataset)
    with evaluation_mode(model), torch.inference_mode():
        for samples, labels in read_batches(dataset, cut(torch.arange(total), batch_size)):
            logits = model(samples)
            loss += cross_entropy(logits, labels).item() * len(labels)
            correct += int((logits.argmax(1) == labels).sum())
    return Accuracy(correct, total, loss / total)


def cross_entropy(logits: Tensor, labels: Tensor, smoothing: float = 0.0) -> Tensor:
    """Return the batch's mean cross-entropy.

    ``smoothing`` spreads that share of every label evenly over all classes (Szegedy et al., "Rethinking the Inception
    architecture for computer vision", 2016, section 7).

    Raises:
        UserError: a label has no output.
    """
    largest = int(labels.max())
    if largest >= logits.shape[1]:
        raise UserError(f"data: label {largest} has no output: the network gives {logits.shape[1]}")
    return F.cross_entropy(logits, labels, label_smoothing=smoothing)


def check_network(model: nn.Module, splits: Splits) -> None:
    """Run two samples through ``model`` to see that network and data belong together.

    Raises:
        UserError: the network cannot take the samples, or its output is not ``[N, at least the classes]``.
    """
    samples = torch.zeros(2, *splits.input_shape)
    try:
        with evaluation_mode(model), torch.inference_mode():
            logits = model(samples)
    except Exception as error:
        shape = list(samples.shape)
        raise UserError(f"model: a batch of {shape} (model.input_shape) cannot be run: {error}") from error
    if not isinstance(logits, Tensor) or logits.dim() != 2 or logits.shape[0] != 2:
        found = list(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise UserError(f"model: must return logits of [N, classes]; for a batch of 2 it returned {found}")
    if logits.shape[1] < len(splits.classes):
        raise UserError(f"model: gives {logits.shape[1]} outputs, but the data have {len(splits.classes)} classes")
