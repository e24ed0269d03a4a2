"""From a masked network and a plan to a smaller ordinary network that computes the same."""

from __future__ import annotations

import copy

import torch
from torch import nn

from edgeprune.errors import ParityError, StageFailure, UserError
from edgeprune.pruning.masks import plan_masks
from edgeprune.pruning.plan import Kept, Plan
from edgeprune.pruning.surgery import shrink
from edgeprune.pruning.trace import named_tensors
from edgeprune.pruning.verify import check_equal, sample_inputs


def compact(model: nn.Module, plan: Plan) -> nn.Module:
    """Return a new network of the same class with what the plan removes taken out.

    ``model`` must be masked already (``plan_masks(model, plan).apply(model)``) and is not changed. The result trains,
    its state dict has the same names, and it is verified to compute what ``model`` computes.

    Raises:
        UserError: the plan was made for another network, or its masks were not applied.
        StageFailure: no way was found to shrink the network exactly; names the operator or module in the way.
    """
    smaller = copy.deepcopy(model)
    apply_folds(smaller, plan)
    shrink(smaller, plan.kept)
    inputs = sample_inputs(plan.inputs)
    try:
        check_equal(model, smaller, inputs, "masked | compact")
    except ParityError as error:
        if not masked(model, plan):
            raise UserError("compact: apply the plan's masks first: plan_masks(model, plan).apply(model)") from error
        raise StageFailure(f"compact: {error}") from error
    return smaller


def compact_like(fresh_model: nn.Module, kept: Kept) -> nn.Module:
    """Return a copy of a freshly made original with the shapes of its compact form, ready to load its state dict.

    Raises:
        UserError: the kept indices are for another network.
    """
    smaller = copy.deepcopy(fresh_model)
    shrink(smaller, kept)
    return smaller


@torch.no_grad()
def apply_folds(model: nn.Module, plan: Plan) -> None:
    """Add what removed constant channels contribute, in place."""
    tensors = named_tensors(model)
    for name, values in plan.folds.items():
        tensor = tensors[name]
        tensor += torch.tensor(values, dtype=torch.float64).to(tensor)


def masked(model: nn.Module, plan: Plan) -> bool:
    """Tell whether every entry the plan removes is zero."""
    parameters = dict(model.named_parameters(remove_duplicate=False))
    return all(bool((parameters[name][~mask] == 0).all()) for name, mask in plan_masks(model, plan).items())
