"""From a network to its coupled sets of channels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, fx, nn

from edgeprune.pruning.labels import Indices, Layout, joined_components
from edgeprune.pruning.resolve import resolve_products
from edgeprune.pruning.rules import RULES
from edgeprune.pruning.rules.pointwise import is_pointwise, pointwise
from edgeprune.pruning.trace import Trace, trace
from edgeprune.pruning.walk import Cost, Fill, Mixer, Reader, Result, Walk, operator_name, shape_of

Prefer = Literal["channel", "group"]
"""What is taken from a grouped convolution: the same channel of every group (as a rule the finer), or whole groups."""

KEPT = -1
"""The set number of an index that must stay."""


@dataclass(frozen=True)
class ParameterAxis:
    """One axis of a parameter or buffer: the coupled set of each of its indices, or ``KEPT``.

    ``role`` is ``producer`` (the axis makes channels), ``consumer`` (it reads them) or ``carrier`` (one value or filter
    per channel). ``reason`` says why nothing of it can go, if so.
    """

    name: str
    axis: int
    role: str
    sets: Indices
    reason: str | None


@dataclass(frozen=True)
class CostSites:
    """An operator's multiply-accumulates: ``factor`` times the live indices of every axis."""

    factor: int
    axes: tuple[Indices, ...]


@dataclass(frozen=True)
class Coupling:
    """What lives and dies together in a network.

    Sets are numbered from 0; ``axes`` says which set every index of every parameter belongs to, ``groups`` lists the
    sets that were made by the same layers, ``layouts`` gives the sets of every traced tensor's axes. ``heads`` are the
    sets that are whole attention heads, ``grouped`` those that are whole groups of a grouped convolution, of which
    there are any only if groups were preferred. ``alike`` are the axes, by node, whose removed indices hold no zeros
    but all the same.
    """

    set_count: int
    axes: tuple[ParameterAxis, ...]
    groups: tuple[Indices, ...]
    readers: tuple[Reader, ...]
    mixers: tuple[Mixer, ...]
    fills: tuple[Fill, ...]
    costs: tuple[CostSites, ...]
    layouts: dict[str, tuple[tuple[Indices | None, ...], ...]]
    trace: Trace
    kinds: dict[str, str]
    inputs: tuple[tuple[tuple[int, ...], str], ...]
    unknown_operators: tuple[str, ...]
    heads: frozenset[int] = frozenset()
    grouped: frozenset[int] = frozenset()
    prefer: Prefer = "channel"
    alike: frozenset[tuple[str, int]] = frozenset()

    def of(self, name: str) -> tuple[ParameterAxis, ...]:
        """Return the axes of one parameter."""
        return tuple(axis for axis in self.axes if axis.name == name)

    def makers(self) -> tuple[ParameterAxis, ...]:
        """Return the axes that make or filter channels: one or more per layer."""
        return tuple(axis for axis in self.axes if axis.role == "producer" or self._filters(axis))

    def _filters(self, axis: ParameterAxis) -> bool:
        return axis.role == "carrier" and axis.axis == 0 and self.trace.state[axis.name].ndim > 2

    def layer(self, axis: ParameterAxis) -> str:
        """Return the name of the layer an axis belongs to: its module, or the parameter itself if not ``weight``."""
        module, _, leaf = axis.name.rpartition(".")
        return module if leaf == "weight" and module else axis.name


def trace_coupling(model: nn.Module, example_inputs: tuple[Tensor, ...], prefer: Prefer = "channel") -> Coupling:
    """Trace ``model`` on ``example_inputs`` and return what is coupled in it.

    Every index of every tensor's axis gets a label; the operators' rules join labels; network inputs and outputs, and
    whatever meets an operator without a rule, must stay.

    Raises:
        UserError: the example inputs are no tuple of tensors.
        StageFailure: torch.export cannot trace the network.
    """
    traced = trace(model, example_inputs)
    return couple(traced, model, example_inputs, prefer)


def couple(traced: Trace, model: nn.Module, example_inputs: tuple[Tensor, ...], prefer: Prefer = "channel") -> Coupling:
    """Return the coupling of a network that was traced already."""
    walk = Walk(traced)
    unknown: list[str] = []
    for node in traced.graph.nodes:
        if node.op == "placeholder":
            walk.layouts[node.name] = _placeholder(walk, node)
        elif node.op == "call_function":
            walk.layouts[node.name] = _operator(walk, node, unknown)
        elif node.op == "output":
            _pin_outputs(walk, node)
    preferred = walk.preferred + walk.grouped if prefer == "group" else walk.preferred
    resolve_products(walk.labels, walk.products, preferred, walk.copied)
    inputs = tuple((tuple(value.shape), str(value.dtype).removeprefix("torch.")) for value in example_inputs)
    return _number(walk, model, inputs, tuple(dict.fromkeys(unknown)), prefer)


def _placeholder(walk: Walk, node: fx.Node) -> Layout:
    shape = shape_of(node)
    name = walk.trace.tensors.get(node.name)
    if name is None:
        return Layout.fixed(shape)
    first = walk.trace.aliases.get(name, name)
    if first not in walk.parameters:
        axes = tuple(walk.labels.fresh(size) for size in shape)
        walk.parameters[first] = Layout(shape, axes, (name not in walk.trace.buffers,) * len(shape))
    return walk.parameters[first]


def _operator(walk: Walk, node: fx.Node, unknown: list[str]) -> Result:
    name = operator_name(node)
    rule = RULES.get(name)
    if rule is not None:
        result = rule(walk, node)
    elif is_pointwise(node):
        result = pointwise(walk, node)
    else:
        result = _without_rule(walk, node, unknown)
    if isinstance(result, Layout):
        walk.alike.update((node.name, axis) for axis in result.alike)
    if isinstance(node.target, torch._ops.OpOverload) and torch.Tag.inplace in node.target.tags:
        source = node.args[0]
        if isinstance(source, fx.Node) and isinstance(result, Layout):
            walk.layouts[source.name] = result
    return result


def _without_rule(walk: Walk, node: fx.Node, unknown: list[str]) -> Result:
    """Keep everything an unknown operator touches; operators on nothing but fixed tensors go unmentioned."""
    touched = False
    for argument in node.all_input_nodes:
        found = walk.layouts.get(argument.name)
        for layout in found if isinstance(found, tuple) else (found,):
            if layout is not None and any(axis is not None for axis in layout.axes):
                touched = True
                walk.pin_axes(layout, range(len(layout.axes)), f"operator {node.target} has no rule")
    if touched:
        unknown.append(str(node.target))
    value: Any = node.meta.get("val")
    if isinstance(value, (list, tuple)):
        return tuple(Layout.fixed(tuple(v.shape) if isinstance(v, Tensor) else ()) for v in value)
    return Layout.fixed(shape_of(node))


def _pin_outputs(walk: Walk, node: fx.Node) -> None:
    for argument in node.all_input_nodes:
        found = walk.layouts.get(argument.name)
        for layout in found if isinstance(found, tuple) else (found,):
            if layout is not None:
                walk.pin_axes(layout, range(len(layout.axes)), "network output")


def _number(walk: Walk, model: nn.Module, inputs: Any, unknown: tuple[str, ...], prefer: Prefer) -> Coupling:
    """Number the sets that can go and express everything in those numbers."""
    roots, pinned, reasons = walk.labels.roots(), walk.labels.pinned_roots(), walk.labels.reasons()
    makes = np.zeros(len(roots), dtype=np.bool_)
    for name, layout in walk.parameters.items():
        for axis, labels in enumerate(layout.axes):
            if labels is not None and walk.roles.get((name, axis), "carrier") != "consumer":
                makes[roots[labels]] = True
    free = np.flatnonzero(makes & ~pinned)
    numbers = np.full(len(roots), KEPT, dtype=np.int64)
    numbers[free] = np.arange(len(free))

    def sets(labels: Indices | None) -> Indices | None:
        return None if labels is None else numbers[roots[labels]]

    axes = tuple(_parameter_axes(walk, numbers[roots], roots, reasons))
    layouts: dict[str, tuple[tuple[Indices | None, ...], ...]] = {}
    for name, found in walk.layouts.items():
        several = found if isinstance(found, tuple) else (found,)
        layouts[name] = tuple(tuple(sets(labels) for labels in layout.axes) for layout in several)
    kinds = {name: type(module).__name__ for name, module in model.named_modules()}
    return Coupling(
        len(free),
        axes,
        _groups(axes, len(free)),
        tuple(walk.readers),
        tuple(walk.mixers),
        tuple(walk.fills),
        tuple(_cost(cost, numbers[roots]) for cost in walk.costs),
        layouts,
        walk.trace,
        kinds,
        inputs,
        unknown,
        _free_sets(walk.preferred, numbers[roots]),
        _free_sets(walk.grouped, numbers[roots]),
        prefer,
        frozenset(walk.alike),
    )


def _free_sets(axes: list[Indices], numbers: Indices) -> frozenset[int]:
    """Return the sets that can go among what is on some axes."""
    return frozenset(int(number) for labels in axes for number in numbers[labels] if number != KEPT)


def _cost(cost: Cost, numbers: Indices) -> CostSites:
    return CostSites(cost.factor, tuple(numbers[labels] for labels in cost.axes))


def _parameter_axes(walk: Walk, numbers: Indices, roots: Indices, reasons: dict[int, str]) -> list[ParameterAxis]:
    found = []
    for name, layout in walk.parameters.items():
        for axis, labels in enumerate(layout.axes):
            role = walk.roles.get((name, axis), "carrier")
            if labels is None:
                continue
            own = numbers[labels]
            reason = None
            if len(own) and (own == KEPT).all():
                reason = reasons.get(int(roots[labels[0]]), "nothing reads or makes it")
            found.append(ParameterAxis(name, axis, role, own, reason))
    return found


def _groups(axes: tuple[ParameterAxis, ...], count: int) -> tuple[Indices, ...]:
    """Collect sets made by the same layers; carriers decide only for sets no producer makes."""
    left: list[Indices] = []
    right: list[Indices] = []
    made = np.zeros(count, dtype=np.bool_)
    for role in ("producer", "carrier"):
        covered = made.copy()
        for axis in axes:
            own = np.unique(axis.sets[axis.sets != KEPT])
            if axis.role != role or not len(own):
                continue
            if role == "carrier":
                own = own[~covered[own]]
            made[own] = True
            if len(own):
                left.append(np.full(len(own), own[0], dtype=np.int64))
                right.append(own)
    if not left:
        return ()
    component = joined_components(np.concatenate(left), np.concatenate(right), count)
    order = {int(number): place for place, number in enumerate(dict.fromkeys(component.tolist()))}
    groups: list[list[int]] = [[] for _ in order]
    for number, place in enumerate(component.tolist()):
        groups[order[place]].append(number)
    return tuple(np.asarray(group, dtype=np.int64) for group in groups)
