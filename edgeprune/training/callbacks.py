"""How behaviour is added to the training loop, which itself never changes."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn
from torch.optim import Optimizer

from edgeprune.training.history import Epoch


class Callback:
    """Hooks of the training loop; the base class does nothing in each.

    After an interruption the loop continues with a fresh callback: what one carries from one epoch to the next must be
    in its ``state``, which each epoch's checkpoint keeps and ``restore`` gets back before ``on_train_start``.
    ``fingerprint`` is part of what a checkpoint must match to be continued from.
    """

    def fingerprint(self) -> str:
        """Return a text that changes when the callback would act differently."""
        return type(self).__qualname__

    def state(self) -> dict[str, Tensor]:
        """Return what must survive an interruption; nothing by default."""
        return {}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take back what ``state`` gave."""

    def on_train_start(self, model: nn.Module) -> None:
        """Called before the first step, also when an interrupted phase continues."""

    def on_epoch_start(self, model: nn.Module, epoch: int) -> None:
        """Called before each epoch (numbered from 1)."""

    def on_step_end(self, model: nn.Module, optimizer: Optimizer, step: int) -> None:
        """Called after the optimizer's update; ``step`` counts from 0 over the whole phase."""

    def on_epoch_end(self, model: nn.Module, epoch: Epoch) -> None:
        """Called after each epoch's validation."""

    def on_train_end(self, model: nn.Module) -> None:
        """Called once, after the last epoch."""
