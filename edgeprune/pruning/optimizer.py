"""Carrying an optimizer over to the compact network, its momentum and moments included."""

from __future__ import annotations

import copy
from collections import defaultdict
from typing import Any

import torch
from torch import Tensor, nn

from edgeprune.errors import UserError
from edgeprune.pruning.plan import Plan
from edgeprune.pruning.surgery import select


def compact_optimizer(
    optimizer: torch.optim.Optimizer, model: nn.Module, compact_model: nn.Module, plan: Plan
) -> torch.optim.Optimizer:
    """Return an optimizer like ``optimizer`` over ``compact_model``'s parameters; the given one is not changed.

    State of a parameter's own shape (momentum, Adam's moments) is cut like the parameter; so is what broadcasts to it
    (Adafactor's rows and columns, which then still hold what they averaged over the whole). Single numbers are copied.
    Learning-rate schedulers hold on to the optimizer they were made with: make them again for the new one.

    Raises:
        UserError: the optimizer holds a parameter that is not ``model``'s, or whose name the compact network lacks, or
            remembers of a smaller parameter what cannot be cut with it (LBFGS's history of all parameters in a row).
    """
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    fresh = dict(compact_model.named_parameters())
    result = copy.copy(optimizer)
    result.state = defaultdict(dict)
    result.param_groups = []
    for group in optimizer.param_groups:
        moved = {key: copy.deepcopy(value) for key, value in group.items() if key != "params"}
        moved["params"] = []
        for parameter in group["params"]:
            name = names.get(id(parameter))
            if name is None or name not in fresh:
                raise UserError(f"optimizer: it holds a parameter ({name or 'without a name'}) of another network")
            moved["params"].append(fresh[name])
            if parameter in optimizer.state:
                result.state[fresh[name]] = _moved(optimizer.state[parameter], parameter, plan.kept.get(name, {}), name)
        result.param_groups.append(moved)
    return result


def _moved(state: dict[str, Any], parameter: Tensor, axes: dict[int, tuple[int, ...]], name: str) -> dict[str, Any]:
    return {key: _cut(value, parameter, axes, f"{name}: {key}") for key, value in state.items()}


def _cut(value: Any, parameter: Tensor, axes: dict[int, tuple[int, ...]], what: str) -> Any:
    if not isinstance(value, Tensor) or value.numel() <= 1 or not axes:
        return copy.deepcopy(value)
    sizes = list(zip(value.shape, parameter.shape, strict=False))
    if value.dim() != parameter.dim() or any(own not in (1, size) for own, size in sizes):
        raise UserError(
            f"optimizer: its state {what}, of shape {tuple(value.shape)}, cannot be cut with a parameter of shape "
            f"{tuple(parameter.shape)}; make a new optimizer for the compact network"
        )
    return select(value, {axis: kept for axis, kept in axes.items() if value.shape[axis] != 1})
