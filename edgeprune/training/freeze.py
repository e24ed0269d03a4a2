"""Retraining one kind of layer while the other stands still."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.modules.conv import _ConvNd

from edgeprune.errors import StageFailure, UserError


@dataclass(frozen=True)
class Alternation:
    """The weights and biases of a network's convolutions and of its linear layers, by name."""

    convolutions: tuple[str, ...]
    linear: tuple[str, ...]

    @classmethod
    def of(cls, model: nn.Module) -> Alternation:
        """Look up a network's layers.

        Raises:
            UserError: there is no convolution or no linear layer, so nothing to alternate between.
        """
        found = cls(_parameters(model, _ConvNd), _parameters(model, nn.Linear))
        for kind, names in (("convolution", found.convolutions), ("linear layer", found.linear)):
            if not names:
                raise UserError(f"retrain.freeze: 'alternate' needs convolutions and linear layers; there is no {kind}")
        return found

    def frozen_in(self, number: int) -> tuple[str, ...]:
        """Return what stands still in a round: convolutions in odd rounds, linear layers in even ones.

        Han, Pool, Tran, Dally, "Learning both weights and connections for efficient neural networks" (2015), section
        3.3: convolutions are fixed while the fully connected layers retrain, and the other way round.
        """
        return self.convolutions if number % 2 else self.linear


@contextmanager
def frozen(model: nn.Module, names: Sequence[str]) -> Iterator[None]:
    """Keep the named parameters bit for bit as they are inside the block.

    They need no gradient, so that an optimizer made of what does has neither momentum nor weight decay for them.

    Raises:
        StageFailure: one was changed all the same, by a training function of the user's.
    """
    parameters = dict(model.named_parameters(remove_duplicate=False))
    held = {name: parameters[name] for name in names if parameters[name].requires_grad}
    before = {name: value.detach().clone() for name, value in held.items()}
    for parameter in held.values():
        parameter.requires_grad_(False)
        parameter.grad = None
    try:
        yield
    finally:
        for parameter in held.values():
            parameter.requires_grad_(True)
    for name, parameter in held.items():
        if not torch.equal(parameter.detach(), before[name]):
            raise StageFailure(f"retrain.freeze: {name} was frozen in this round, but the training changed it")


def _parameters(model: nn.Module, kind: type[nn.Module]) -> tuple[str, ...]:
    return tuple(
        f"{layer}.{name}" if layer else name
        for layer, module in model.named_modules()
        if isinstance(module, kind)
        for name, _ in module.named_parameters(recurse=False)
    )
