"""From a masked network and a plan to a smaller ordinary network that computes the same."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from edgeprune.errors import EdgepruneError, StageFailure, UserError
from edgeprune.pruning.coupling import trace_coupling
from edgeprune.pruning.literals import Sizes, attribute_edits
from edgeprune.pruning.make_plan import removed_sets
from edgeprune.pruning.masks import plan_masks
from edgeprune.pruning.other_weights import check_other_weights
from edgeprune.pruning.plan import Kept, Plan
from edgeprune.pruning.rewrite import rewrite
from edgeprune.pruning.surgery import shrink
from edgeprune.pruning.trace import named_tensors
from edgeprune.pruning.verify import check_equal, sample_inputs


def compact(model: nn.Module, plan: Plan) -> nn.Module:
    """Return a new network of the same class with what the plan removes taken out.

    ``model`` must be masked already (``plan_masks(model, plan).apply(model)``) and is not changed. The result trains,
    its state dict has the same names, and it is verified to compute what ``model`` computes. Where sizes are written
    into the network's code and no attribute of its modules holds them, the result is a graph module with the same
    parameter names and class name instead.

    Raises:
        UserError: the plan was made for another network, or its masks were not applied.
        StageFailure: no way was found to shrink the network exactly; says what each way met.
    """
    full = copy.deepcopy(model)
    apply_folds(full, plan)
    try:
        return _first_that_agrees(full, model, plan)
    except StageFailure as error:
        if not _is_masked(model, plan) and not plan.folds:
            raise UserError("compact: apply the plan's masks first: plan_masks(model, plan).apply(model)") from error
        raise


def compact_like(fresh_model: nn.Module, kept: Kept | Plan) -> nn.Module:
    """Return a copy of a freshly made original in its compact shapes, ready to load the compact state dict.

    With a ``Plan`` the same ways are tried as by ``compact``, so that the result is of the same kind. With the bare
    kept indices only tensors and known modules' attributes are mended.

    Raises:
        UserError: the kept indices are for another network.
        StageFailure: no way was found to shrink the network exactly.
    """
    smaller = copy.deepcopy(fresh_model)
    if not isinstance(kept, Plan):
        shrink(smaller, kept)
        return smaller
    plan_masks(smaller, kept).apply(smaller)
    return _first_that_agrees(smaller, smaller, kept)


def _first_that_agrees(full: nn.Module, expected: nn.Module, plan: Plan) -> nn.Module:
    """Try the ways to shrink ``full`` in turn and return the first result that computes what ``expected`` does."""
    inputs = tuple(_cast(value, expected) for value in sample_inputs(plan.inputs))
    met: list[str] = []
    for name, way in _WAYS:
        try:
            smaller = way(full, plan, inputs)
            check_equal(expected, smaller, inputs, "masked | compact")
            check_other_weights(full, smaller, plan, inputs)
        except UserError:
            raise
        except (EdgepruneError, RuntimeError, ValueError, TypeError, AssertionError, IndexError) as error:
            lines = str(error).strip().splitlines()
            met.append(f"{name}: {type(error).__name__}: {lines[0] if lines else ''}")
        else:
            return smaller
    raise StageFailure(f"compact: {type(full).__name__} cannot be shrunk exactly; " + "; ".join(met))


def _by_tensors(full: nn.Module, plan: Plan, inputs: tuple[Tensor, ...]) -> nn.Module:
    """Cut the tensors and mend what known modules say of them."""
    smaller = copy.deepcopy(full)
    shrink(smaller, plan.kept)
    return smaller


def _by_attributes(full: nn.Module, plan: Plan, inputs: tuple[Tensor, ...]) -> nn.Module:
    """Change, besides, the modules' integer attributes whose sizes their operators were given."""
    coupling = trace_coupling(full, inputs, plan.prefer)
    sizes = Sizes.of(coupling, ~removed_sets(coupling, plan))
    smaller = _by_tensors(full, plan, inputs)
    for module, name, value in attribute_edits(sizes, smaller):
        setattr(module, name, value)
    return smaller


def _by_graph(full: nn.Module, plan: Plan, inputs: tuple[Tensor, ...]) -> nn.Module:
    """Run the traced operators with the new sizes written in."""
    return rewrite(full, _by_tensors(full, plan, inputs), plan, inputs)


_WAYS: tuple[tuple[str, Callable[[nn.Module, Plan, tuple[Tensor, ...]], nn.Module]], ...] = (
    ("with smaller tensors", _by_tensors),
    ("with changed attributes", _by_attributes),
    ("as a graph", _by_graph),
)


@torch.no_grad()
def apply_folds(model: nn.Module, plan: Plan) -> None:
    """Add what removed constant channels contribute, in place."""
    tensors = named_tensors(model)
    for name, values in plan.folds.items():
        tensor = tensors[name]
        tensor[: len(values)] += torch.tensor(values, dtype=torch.float64).to(tensor)


def _cast(value: Tensor, model: nn.Module) -> Tensor:
    """Follow a network that was moved or cast since it was traced."""
    like = next(_floating(model), None)
    if like is None:
        return value
    return value.to(like.device, like.dtype) if value.is_floating_point() else value.to(like.device)


def _floating(model: nn.Module) -> Iterator[Tensor]:
    return (parameter for parameter in model.parameters() if parameter.is_floating_point())


def _is_masked(model: nn.Module, plan: Plan) -> bool:
    """Tell whether every entry the plan removes is zero."""
    parameters = dict(model.named_parameters(remove_duplicate=False))
    return all(bool((parameters[name][~mask] == 0).all()) for name, mask in plan_masks(model, plan).items())
