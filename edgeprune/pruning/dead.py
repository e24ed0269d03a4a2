"""Dead neurons and channels: removed to a fixed point, constants folded where that is exact."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor, fx, nn

from edgeprune.pruning.coupling import KEPT, Coupling, trace_coupling
from edgeprune.pruning.floors import Floors
from edgeprune.pruning.known import KnownValues, read_by
from edgeprune.pruning.labels import Flags, Indices
from edgeprune.pruning.make_plan import plan_of
from edgeprune.pruning.masks import plan_masks
from edgeprune.pruning.plan import Plan
from edgeprune.pruning.trace import named_tensors
from edgeprune.pruning.walk import Reader, arguments, operator_name

_ROUNDING = 1e-12
"""Relative difference in double precision below which a contribution counts as the same at every position."""


def eliminate_dead(model: nn.Module, example_inputs: tuple[Tensor, ...], *, coupling: Coupling | None = None) -> Plan:
    """Plan the removal of everything in ``model`` that cannot change its output in evaluation mode.

    A coupled set is dead when nobody who reads it gets anything from it: its values are zero whatever the input (no
    live input), or the weights that read it are zero (no live output). Removing it may kill others, so this is repeated
    to a fixed point. A channel that is constant but not zero is folded into the bias of who reads it, or into the
    running mean of the batch normalisation behind, if its contribution is the same at every position; at a padded
    border it is not, and then the channel stays and the plan's notes say so. ``compact(model, plan)`` applies both.

    The plan may remove nothing; then its ``kept`` is empty.

    Raises:
        StageFailure: the network cannot be traced.
    """
    coupling = coupling or trace_coupling(model, example_inputs)
    state = _State(coupling, copy.deepcopy(model).double())
    while state.sweep():
        pass
    plan = plan_of(model, coupling, state.keep)
    notes = (*plan.notes, *state.notes())
    return replace(plan, folds={name: tuple(v.tolist()) for name, v in state.folds.items()}, notes=notes)


@dataclass
class _Finding:
    """What a sweep found: per set whether somebody gets something variable, or something constant from it."""

    alive: Flags
    constant: Flags
    contributions: list[tuple[_Target, Indices, Tensor]] = field(default_factory=list)
    blocked: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Target:
    """Where a constant contribution can go: a tensor's name and the factor it is added with."""

    name: str
    sign: float


class _State:
    """The network as it stands, what is kept of it, and what was folded."""

    def __init__(self, coupling: Coupling, model: nn.Module) -> None:
        self.coupling = coupling
        self.model = model
        self.keep: Flags = np.ones(coupling.set_count, dtype=np.bool_)
        self.folds: dict[str, Tensor] = {}
        self._floors = Floors(coupling)
        self._nodes = {node.name: node for node in coupling.trace.graph.nodes}
        self._last: _Finding | None = None

    def sweep(self) -> bool:
        """Remove what is dead now; tell whether there was anything."""
        found = self._look()
        self._last = found
        gone = self.keep & ~found.alive
        gone[list(found.blocked)] = False
        gone = self._floors.allow(self.keep, gone)
        if not gone.any():
            return False
        tensors = named_tensors(self.model)
        for target, sets, amount in found.contributions:
            chosen = torch.from_numpy(gone[sets])
            added = target.sign * amount[:, chosen].sum(dim=1)
            if chosen.any() and bool((added != 0).any()):
                self.folds[target.name] = self.folds.get(target.name, torch.zeros_like(added)) + added
                with torch.no_grad():
                    tensors[target.name] += added
        self.keep &= ~gone
        plan_masks(self.model, plan_of(self.model, self.coupling, self.keep)).apply(self.model)
        return True

    def notes(self) -> list[str]:
        """Say which constant channels stay, and why."""
        if self._last is None:
            return []
        number: dict[str, int] = {}
        for reason in self._last.blocked.values():
            number[reason] = number.get(reason, 0) + 1
        return [f"{count} constant channels stay: {reason}" for reason, count in number.items()]

    def _look(self) -> _Finding:
        values = KnownValues(self.coupling.trace, named_tensors(self.model)).observe()
        found = _Finding(np.zeros_like(self.keep), np.zeros_like(self.keep))
        for reader in self.coupling.readers:
            self._look_at_reader(reader, values, found)
        for mixer in self.coupling.mixers:
            sets = self._sets(*mixer.operands[0])
            if sets is not None and (sets != KEPT).any():
                zero = np.zeros(len(sets), dtype=np.bool_)
                for name, axis in mixer.operands:
                    zero |= _zero_along(values[name], axis)
                _mark(found.alive, sets, ~zero)
        found.blocked = {number: why for number, why in found.blocked.items() if not found.alive[number]}
        return found

    def _sets(self, node: str, axis: int) -> Indices | None:
        return self.coupling.layouts[node][0][axis]

    def _look_at_reader(self, reader: Reader, values: dict[str, Tensor], found: _Finding) -> None:
        sets = self._sets(reader.data, reader.axis)
        if sets is None or not (sets != KEPT).any():
            return
        data = values[read_by(reader.node)].movedim(reader.axis, 0).flatten(1)
        weight = named_tensors(self.model)[reader.weight]
        silent = _silent_weights(weight, reader, len(sets)) | (data == 0).all(1).numpy()
        unknown = data.isnan().any(1).numpy()
        _mark(found.alive, sets, ~silent & unknown)
        constant = ~silent & ~unknown
        if constant.any():
            self._fold(reader, sets, constant, values, found)

    def _fold(self, reader: Reader, sets: Indices, constant: Flags, values: dict[str, Tensor], found: _Finding) -> None:
        """Work out what each constant channel contributes and whether the reader can hold it."""
        node = self._nodes[reader.node]
        target = self._target(node)
        places = np.flatnonzero(constant & (sets != KEPT))
        amounts, even = _contributions(node, reader, values, places)
        for place, same in zip(places.tolist(), even.tolist(), strict=True):
            if not same:
                found.blocked[int(sets[place])] = f"at the padded border of {reader.weight} they are not constant"
            elif target is None:
                found.blocked[int(sets[place])] = f"{reader.weight} has no bias of its own to hold them"
        if target is not None and len(places):
            found.contributions.append((target, sets[places], amounts))

    def _target(self, node: fx.Node) -> _Target | None:
        """Return what can hold a constant: the bias, or the running mean of the only normalisation that follows."""
        bias = arguments(node).get("bias")
        if isinstance(bias, fx.Node):
            name = self.coupling.trace.tensors.get(bias.name)
            return _Target(name, 1.0) if name is not None and len(bias.users) == 1 else None
        users = list(node.users)
        if len(users) == 1 and operator_name(users[0]) == "batch_norm":
            mean = arguments(users[0])["running_mean"]
            name = self.coupling.trace.tensors.get(mean.name) if isinstance(mean, fx.Node) else None
            if name is not None and len(mean.users) == 1:
                return _Target(name, -1.0)
        return None


def _mark(flags: Flags, sets: Indices, where: Flags) -> None:
    chosen = sets[where & (sets != KEPT)]
    flags[chosen] = True


def _zero_along(value: Tensor, axis: int) -> Flags:
    return np.asarray((value.movedim(axis, 0).flatten(1) == 0).all(1).numpy())


def _silent_weights(weight: Tensor, reader: Reader, channels: int) -> Flags:
    """Tell for every input channel whether all weights that read it are zero."""
    other = weight.shape[1 - reader.weight_axis]
    zero = (weight.detach() == 0).movedim(reader.weight_axis, 0)
    rows = zero.reshape(weight.shape[reader.weight_axis], other, -1).all(2)
    if reader.groups == 1 or reader.weight_axis == 0:
        return np.asarray(rows.all(1).numpy())
    outputs = rows.shape[1] // reader.groups
    grouped = rows.reshape(rows.shape[0], reader.groups, outputs).all(2)
    return np.asarray(grouped.T.reshape(channels).numpy())


def _contributions(node: fx.Node, reader: Reader, values: dict[str, Tensor], places: Indices) -> tuple[Tensor, Flags]:
    """Return what each constant channel adds to each output channel, and whether it adds the same everywhere."""
    bound = {key: values[v.name] if isinstance(v, fx.Node) else v for key, v in arguments(node).items()}
    weight = bound.pop("weight")
    bound.pop("input")
    data = values[read_by(reader.node)]
    bound.pop("bias")
    channel = reader.axis if operator_name(node) == "linear" else data.ndim - weight.ndim + 1
    columns, even = [], []
    for place in places.tolist():
        alone = torch.zeros_like(data)
        alone.select(reader.axis, place).copy_(data.select(reader.axis, place))
        added = node.target(alone, weight, None, *bound.values()).movedim(channel, 0).flatten(1)  # type: ignore[operator]
        columns.append(added[:, 0])
        even.append(bool(((added - added[:, :1]).abs() <= _ROUNDING * added.abs().max()).all()))
    if not columns:
        return torch.zeros(0, 0, dtype=torch.float64), np.zeros(0, dtype=np.bool_)
    return torch.stack(columns, dim=1), np.asarray(even)
