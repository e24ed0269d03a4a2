"""A penalty under which whole coupled groups of weights go to zero together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from edgeprune.errors import UserError
from edgeprune.pruning import trace_coupling
from edgeprune.pruning.coupling import KEPT


@dataclass(frozen=True)
class _Axis:
    """One axis of a parameter: the group of each of its indices; ``groups`` itself where an index is in none."""

    name: str
    axis: int
    group: Tensor


class GroupLasso:
    """The subgradient of ``strength * sum over groups of sqrt(entries) * ||entries||``.

    A group is everything that leaves with one channel or neuron: the weights that make it, its bias and normalisation,
    and what reads it in the next layers. Yuan and Lin, "Model selection and estimation in regression with grouped
    variables" (2006); for channels of networks Wen et al., "Learning structured sparsity in deep neural networks"
    (2016), and over everything coupled Fang et al., "DepGraph" (2023).
    """

    def __init__(self, axes: Sequence[_Axis], groups: int, sizes: Tensor) -> None:
        self._axes = tuple(axes)
        self._groups = groups
        self._roots = sizes.sqrt()

    @classmethod
    def of(cls, model: nn.Module, samples: Tensor, table: str) -> GroupLasso:
        """Trace the network on ``samples`` and find its groups; ``table`` is the recipe's, for the message.

        Raises:
            UserError: no channel of the network could be removed, so there is no group.
            StageFailure: the network cannot be traced.
        """
        coupling = trace_coupling(model, (samples,))
        parameters = dict(model.named_parameters(remove_duplicate=False))
        groups = coupling.set_count
        sizes = torch.zeros(groups + 1)
        axes = []
        for found in coupling.axes:
            if found.name not in parameters or found.reason is not None or not (found.sets != KEPT).any():
                continue
            group = torch.as_tensor(found.sets.copy()).long()
            group[group == KEPT] = groups
            shape = parameters[found.name].shape
            per_index = shape.numel() // shape[found.axis]
            sizes.index_add_(0, group, torch.full((len(group),), float(per_index)))
            axes.append(_Axis(found.name, found.axis, group))
        if not axes:
            raise UserError(f"{table}.group_lasso: no channel of this network can be removed, so there is no group")
        sizes[groups] = 0
        return cls(axes, groups, sizes)

    @torch.no_grad()
    def add_gradient(self, model: nn.Module, strength: float) -> None:
        """Add to the gradient of every parameter that has one; a group that is zero is not pulled."""
        parameters = dict(model.named_parameters(remove_duplicate=False))
        squares = torch.zeros(self._groups + 1)
        for one in self._axes:
            value = parameters[one.name].detach().to(squares.dtype)
            others = [axis for axis in range(value.dim()) if axis != one.axis]
            squares.index_add_(0, one.group, value.square().sum(others) if others else value.square())
        norms = squares.sqrt()
        factors = torch.where(norms > 0, strength * self._roots / norms, torch.zeros_like(norms))
        factors[self._groups] = 0
        for one in self._axes:
            parameter = parameters[one.name]
            if parameter.grad is not None:
                shape = [-1 if axis == one.axis else 1 for axis in range(parameter.dim())]
                parameter.grad.add_(parameter * factors[one.group].reshape(shape).to(parameter.dtype))
