"""Keeping the weights of one epoch while training goes on."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from edgeprune.training.callbacks import Callback
from edgeprune.training.history import Epoch


class KeepEpoch(Callback):
    """Calls ``save(model)`` once, after ``epoch`` (numbered from 1).

    It does so before the epoch's checkpoint is written: a run that is killed in between does the epoch again.
    """

    def __init__(self, epoch: int, save: Callable[[nn.Module], None]) -> None:
        self._epoch = epoch
        self._save = save

    def fingerprint(self) -> str:
        """Return the epoch: a checkpoint from beyond it that kept nothing is of no use."""
        return f"{super().fingerprint()} {self._epoch}"

    def on_epoch_end(self, model: nn.Module, epoch: Epoch) -> None:
        """Save the weights of the epoch."""
        if epoch.epoch == self._epoch:
            self._save(model)
