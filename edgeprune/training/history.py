"""What a training phase did, epoch by epoch."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Epoch:
    """One pass over the training split.

    ``loss`` (mean cross-entropy, without penalties) and ``train_accuracy`` are over the samples as they were trained
    on, so they lag behind the weights; ``validation_accuracy`` is measured after the epoch. Accuracies are fractions.
    """

    epoch: int
    loss: float
    train_accuracy: float
    validation_accuracy: float
    seconds: float


@dataclass(frozen=True)
class History:
    """All epochs of a phase, numbered from 1."""

    epochs: tuple[Epoch, ...] = ()

    @property
    def seconds(self) -> float:
        """Time spent, including epochs before an interruption."""
        return sum(epoch.seconds for epoch in self.epochs)

    def as_dict(self) -> dict[str, Any]:
        """Return JSON-able values."""
        return {"epochs": [asdict(epoch) for epoch in self.epochs]}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> History:
        """Return what :meth:`as_dict` gave."""
        return cls(tuple(Epoch(**epoch) for epoch in data["epochs"]))
