"""Optimizers built from a recipe, and their state as named tensors."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim import SGD, AdamW, Optimizer

from edgeprune.errors import UserError
from edgeprune.recipe import Train


def build_optimizer(model: nn.Module, settings: Train) -> Optimizer:
    """Return the optimizer of ``settings`` over the model's trainable parameters.

    Weight decay acts on weights of two and more dimensions; biases and normalisation scales are left alone. With
    ``adam`` it is decoupled from the gradient (AdamW, Loshchilov and Hutter 2019).

    Raises:
        UserError: every parameter is frozen.
    """
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if not trainable:
        raise UserError("the network has no parameter to train: requires_grad is False for all of them")
    groups = [
        {"params": [p for p in trainable if p.dim() > 1], "weight_decay": settings.weight_decay},
        {"params": [p for p in trainable if p.dim() <= 1], "weight_decay": 0.0},
    ]
    if settings.optimizer == "adam":
        return AdamW(groups, lr=settings.learning_rate)
    return SGD(groups, lr=settings.learning_rate, momentum=settings.momentum)


def set_learning_rate(optimizer: Optimizer, rate: float) -> None:
    """Set the rate of every group."""
    for group in optimizer.param_groups:
        group["lr"] = rate


@torch.no_grad()
def add_l1_gradient(model: nn.Module, strength: float) -> None:
    """Add the subgradient of ``strength * sum |w|`` over everything called ``weight``, normalisation scales included.

    Biases are not pulled. For batch normalisation's scales alone see ``add_scale_gradient``.
    """
    if strength == 0:
        return
    for name, parameter in model.named_parameters():
        if name.rpartition(".")[2] == "weight" and parameter.grad is not None:
            parameter.grad.add_(parameter.sign(), alpha=strength)


def normalisation_scales(model: nn.Module) -> tuple[nn.Parameter, ...]:
    """Return the scales of the model's batch normalisations; those without scales have none."""
    return tuple(
        module.weight for module in model.modules() if isinstance(module, _BatchNorm) and module.weight is not None
    )


@torch.no_grad()
def add_scale_gradient(model: nn.Module, strength: float) -> None:
    """Add the subgradient of ``strength * sum |scale|`` over batch normalisations.

    Liu et al., "Learning efficient convolutional networks through network slimming" (2017): channels that do not
    matter lose their scale while training, and ``bn-scale`` then finds them.
    """
    if strength == 0:
        return
    for scale in normalisation_scales(model):
        if scale.grad is not None:
            scale.grad.add_(scale.sign(), alpha=strength)


def optimizer_tensors(model: nn.Module, optimizer: Optimizer) -> dict[str, Tensor]:
    """Return the optimizer's state as ``<parameter>:<key>`` to tensor."""
    return {
        f"{name}:{key}": value
        for name, parameter in model.named_parameters()
        for key, value in optimizer.state.get(parameter, {}).items()
        if isinstance(value, Tensor)
    }


def restore_optimizer(model: nn.Module, optimizer: Optimizer, tensors: dict[str, Tensor]) -> None:
    """Put back what :func:`optimizer_tensors` gave."""
    parameters = dict(model.named_parameters())
    for place, value in tensors.items():
        name, _, key = place.rpartition(":")
        parameter = parameters[name]
        # In the parameter's own memory layout, so that the same vectorised path gives the same rounding.
        own = torch.empty_like(parameter, dtype=value.dtype) if value.shape == parameter.shape else value.clone()
        own.copy_(value)
        optimizer.state[parameter][key] = own
