"""From a masked network and a plan to a smaller ordinary network that computes the same."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property

import torch
from torch import Tensor, nn

from edgeprune.errors import EdgepruneError, StageFailure, UserError
from edgeprune.pruning.coupling import Coupling, trace_coupling
from edgeprune.pruning.literals import Sizes, attribute_edits
from edgeprune.pruning.make_plan import removed_sets
from edgeprune.pruning.masks import plan_masks
from edgeprune.pruning.other_weights import check_other_weights
from edgeprune.pruning.plan import Kept, Plan
from edgeprune.pruning.rewrite import rewrite
from edgeprune.pruning.surgery import shrink
from edgeprune.pruning.trace import named_tensors
from edgeprune.pruning.verify import check_exact, sample_inputs


def compact(model: nn.Module, plan: Plan, *, coupling: Coupling | None = None) -> nn.Module:
    """Return a new network of the same class with what the plan removes taken out.

    ``model`` must be masked already (``plan_masks(model, plan).apply(model)``) and is not changed. The result trains,
    its state dict has the same names, and it is verified to compute what ``model`` computes. Where sizes are written
    into the network's code and no attribute of its modules holds them, the result is a graph module with the same
    parameter names and class name instead. ``coupling``, from which the plan was made, saves tracing again.

    Raises:
        UserError: the plan was made for another network, or its masks were not applied.
        StageFailure: no way was found to shrink the network exactly; says what each way met.
    """
    full = _with_folds(model, plan)
    try:
        return _first_that_agrees(_Job(full, model, plan, coupling))
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
    if not isinstance(kept, Plan):
        smaller = _copy_without(fresh_model, kept)
        shrink(smaller, kept)
        return smaller
    smaller = copy.deepcopy(fresh_model)
    plan_masks(smaller, kept).apply(smaller)
    return _first_that_agrees(_Job(smaller, smaller, kept, None))


class _Job:
    """What the ways to a smaller network work on: ``full`` is shrunk and must compute what ``expected`` does."""

    def __init__(self, full: nn.Module, expected: nn.Module, plan: Plan, coupling: Coupling | None) -> None:
        self.full = full
        self.expected = expected
        self.plan = plan
        self.inputs = tuple(_cast(value, expected) for value in sample_inputs(plan.inputs))
        self._coupling = coupling if coupling is not None and _is_of(coupling, full, plan) else None

    @cached_property
    def coupling(self) -> Coupling:
        """The network as traced; a trace given is used if the network is still of the same types."""
        return self._coupling or trace_coupling(self.full, self.inputs, self.plan.prefer)

    def cut(self) -> nn.Module:
        """Return a copy with the tensors cut and what known modules say of them mended."""
        smaller = _copy_without(self.full, self.plan.kept)
        shrink(smaller, self.plan.kept)
        return smaller


def _first_that_agrees(job: _Job) -> nn.Module:
    """Try the ways to shrink a network in turn and return the first result that computes what is expected."""
    met: list[str] = []
    for name, way in _WAYS:
        try:
            smaller = way(job)
            check_exact(job.expected, smaller, job.inputs, "masked | compact")
            check_other_weights(job.full, smaller, job.plan, job.inputs)
        except UserError:
            raise
        except (EdgepruneError, RuntimeError, ValueError, TypeError, AssertionError, IndexError) as error:
            lines = str(error).strip().splitlines()
            met.append(f"{name}: {type(error).__name__}: {lines[0] if lines else ''}")
        else:
            return smaller
    raise StageFailure(f"compact: {type(job.full).__name__} cannot be shrunk exactly; " + "; ".join(met))


def _by_tensors(job: _Job) -> nn.Module:
    """Cut the tensors and mend what known modules say of them."""
    return job.cut()


def _by_attributes(job: _Job) -> nn.Module:
    """Change, besides, the modules' integer attributes whose sizes their operators were given."""
    sizes = Sizes.of(job.coupling, ~removed_sets(job.coupling, job.plan))
    smaller = job.cut()
    for module, name, value in attribute_edits(sizes, smaller):
        setattr(module, name, value)
    return smaller


def _by_graph(job: _Job) -> nn.Module:
    """Run the traced operators with the new sizes written in."""
    return rewrite(job.expected, job.cut(), job.plan, job.inputs, job.coupling)


_WAYS: tuple[tuple[str, Callable[[_Job], nn.Module]], ...] = (
    ("with smaller tensors", _by_tensors),
    ("with changed attributes", _by_attributes),
    ("as a graph", _by_graph),
)


def _copy_without(model: nn.Module, names: Iterable[str]) -> nn.Module:
    """Return a deep copy that shares the named tensors with the original: they are about to be replaced."""
    tensors = named_tensors(model)
    return copy.deepcopy(model, {id(tensors[name]): tensors[name] for name in names if name in tensors})


def _with_folds(model: nn.Module, plan: Plan) -> nn.Module:
    """Return the network with the folds applied; everything else is shared with it."""
    if not plan.folds:
        return model
    folded = _copy_without(model, named_tensors(model).keys() - plan.folds.keys())
    apply_folds(folded, plan)
    return folded


def _is_of(coupling: Coupling, model: nn.Module, plan: Plan) -> bool:
    """Tell whether a network has the tensors that were traced, on the same device in the same types."""
    if (coupling.inputs, coupling.prefer) != (plan.inputs, plan.prefer):
        return False
    kinds = [
        {name: (t.shape, t.dtype, t.device) for name, t in tensors.items()}
        for tensors in (coupling.trace.state, named_tensors(model))
    ]
    return kinds[0] == kinds[1]


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
