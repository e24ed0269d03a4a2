"""Walking a traced graph: what the operator rules see and may record."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx

from edgeprune.pruning.labels import Axis, Indices, Labels, Layout
from edgeprune.pruning.trace import Trace

Result = Layout | tuple[Layout, ...]
Rule = Callable[["Walk", fx.Node], Result]


class RuleTable(dict[str, Rule]):
    """Rules by the operators' base names, without overload and in-place underscore."""

    def rule(self, *names: str) -> Callable[[Rule], Rule]:
        """Enter the decorated function under ``names``."""

        def enter(function: Rule) -> Rule:
            self.update(dict.fromkeys(names, function))
            return function

        return enter


@dataclass(frozen=True)
class Product:
    """``flat[i, j, ...]`` lives if and only if every ``factors[k]`` lives at its index; ``None`` always lives."""

    flat: Indices
    sizes: tuple[int, ...]
    factors: tuple[Axis, ...]


@dataclass(frozen=True)
class Reader:
    """A place where a weight sums over an axis of its input.

    ``data`` and ``axis`` name the node and axis summed over, ``weight`` and ``weight_axis`` the parameter.
    ``groups`` is a convolution's.
    """

    node: str
    data: str
    axis: int
    weight: str
    weight_axis: int
    groups: int


@dataclass(frozen=True)
class Mixer:
    """A place where operands are multiplied and summed over an axis without a weight's rule.

    ``operands`` are (node, axis): an index adds nothing if one of them is zero there.
    """

    node: str
    operands: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Fill:
    """A place where removed indices count as the zeros they are in the masked network.

    What the operator computes from an axis of its input (a mean, a variance) changes with the axis's length; the
    compact network therefore fills the axis with zeros up to its old ``size`` inside this operator. ``operands`` are
    the arguments to fill and their axes, the first of them the input; ``result`` is the axis of the result to cut
    again, if it has it. ``alike`` says that the removed indices of the input hold no zeros but all the same, which is
    what it is filled with.
    """

    node: str
    operands: tuple[tuple[str, int], ...]
    result: int | None
    size: int
    alike: bool = False


@dataclass(frozen=True)
class Cost:
    """Multiply-accumulates of one operator: ``factor`` times the live indices of each axis."""

    node: str
    factor: int
    axes: tuple[Indices, ...]


class Walk:
    """The state of one pass over the graph."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.labels = Labels()
        self.layouts: dict[str, Result] = {}
        self.products: list[Product] = []
        self.readers: list[Reader] = []
        self.mixers: list[Mixer] = []
        self.fills: list[Fill] = []
        self.costs: list[Cost] = []
        self.parameters: dict[str, Layout] = {}
        self.roles: dict[tuple[str, int], str] = {}
        self.preferred: list[Indices] = []
        self.grouped: list[Indices] = []
        self.copied: list[Indices] = []
        self.alike: set[tuple[str, int]] = set()

    def layout(self, value: Any) -> Layout:
        """Return the layout of a node's tensor; a number has no axes."""
        if isinstance(value, fx.Node):
            found = self.layouts.get(value.name)
            if isinstance(found, Layout):
                return found
            return Layout.fixed(shape_of(value))
        return Layout((), (), ())

    def parameter(self, value: Any) -> str | None:
        """Return the name of the parameter or buffer that a node stands for."""
        return self.trace.tensors.get(value.name) if isinstance(value, fx.Node) else None

    def role(self, value: Any, axis: int, role: str) -> None:
        """Record what a parameter's axis does: ``producer``, ``consumer`` or ``carrier`` (the first wins).

        A parameter is recognised through copies and transposes.
        """
        value, axis = source_axis(value, axis)
        name = self.parameter(value)
        if name is not None:
            self.roles.setdefault((self.trace.aliases.get(name, name), axis), role)

    def unify(self, axes: Sequence[Axis], reason: str) -> Axis:
        """Join axes of equal length and return the result; one that must stay keeps the others."""
        labelled = [axis for axis in axes if axis is not None]
        if not labelled:
            return None
        for other in labelled[1:]:
            self.labels.join(labelled[0], other)
        if len(labelled) < len(axes):
            self.labels.pin(labelled[0], reason)
            return None
        return labelled[0]

    def copies(self, count: int) -> Indices:
        """Return fresh labels for the copies of one index."""
        labels = self.labels.fresh(count)
        self.copied.append(labels)
        return labels

    def pin_axes(self, layout: Layout, axes: Sequence[int], reason: str) -> None:
        """Keep every index of the given axes."""
        for axis in axes:
            self.labels.pin(layout.axes[axis], reason)

    def cost(self, node: fx.Node, factor: int, *axes: Axis) -> None:
        """Record multiply-accumulates; ``factor`` counts everything but the given axes."""
        self.costs.append(Cost(node.name, factor, tuple(axis for axis in axes if axis is not None)))

    def mix(self, node: fx.Node, *operands: tuple[Any, int]) -> None:
        """Record a sum over an axis of activations."""
        named = tuple((value.name, axis) for value, axis in operands if isinstance(value, fx.Node))
        self.mixers.append(Mixer(node.name, named))

    def _zeros_behind(self, node: fx.Node, axis: int) -> list[tuple[fx.Node, int]]:
        """Return the tensors of zeros that what is alike along an axis was worked out from."""
        if (node.name, axis) not in self.alike:
            return [(node, axis)]
        return [zeros for operand, own in with_axis(node, axis) for zeros in self._zeros_behind(operand, own)]

    def fill(self, node: fx.Node, operands: Sequence[tuple[str, int]], result: int | None) -> None:
        """Record that an axis must keep its old length inside an operator; see ``Fill``."""
        name, axis = operands[0]
        value = arguments(node)[name]
        alike = (value.name, axis) in self.alike
        for source, own in self._zeros_behind(value, axis):
            self.mix(node, (source, own))
        self.fills.append(Fill(node.name, tuple(operands), result, self.layout(value).shape[axis], alike))


def with_axis(node: fx.Node, axis: int) -> list[tuple[fx.Node, int]]:
    """Return an elementwise operator's operands that have an axis of its result, and their own number of it."""
    shape = shape_of(node)
    found = []
    for operand in node.all_input_nodes:
        own = axis - (len(shape) - len(shape_of(operand)))
        if isinstance(operand.meta.get("val"), Tensor) and own >= 0 and shape_of(operand)[own] == shape[axis]:
            found.append((operand, own))
    return found


def shape_of(node: fx.Node) -> tuple[int, ...]:
    """Return the traced shape; a size that is symbolic counts with the value it had in the trace."""
    value = node.meta.get("val")
    if not isinstance(value, Tensor):
        return ()
    return tuple(int(size) if isinstance(size, int) else int(size.node.hint) for size in value.shape)


def operator_name(node: fx.Node) -> str:
    """Return the base name of an operator: ``aten.relu_.default`` is ``relu``."""
    target = node.target
    if isinstance(target, torch._ops.OpOverload):
        name = target._schema.name.split("::")[-1]
        return name[:-1] if name.endswith("_") and not name.startswith("__") else name
    return getattr(target, "__name__", str(target))


_COPIES = {"clone", "contiguous", "detach", "alias", "to", "_to_copy"}
_TRANSPOSES = {"t", "transpose", "swapaxes", "permute", "mT", "numpy_T"}


def source_axis(value: Any, axis: int) -> tuple[Any, int]:
    """Follow an axis of a node back through copies and transposes."""
    while isinstance(value, fx.Node) and value.op == "call_function":
        name = operator_name(value)
        if name in _TRANSPOSES:
            rank = len(shape_of(value))
            order = list(range(rank))
            if name == "permute":
                order = [as_axis(int(place), rank) for place in arguments(value)["dims"]]
            elif name in ("transpose", "swapaxes"):
                first, second = (as_axis(int(place), rank) for place in list(arguments(value).values())[1:3])
                order[first], order[second] = second, first
            elif rank > 1:
                order[-2:] = [rank - 1, rank - 2]
            axis = order[axis]
        elif name not in _COPIES:
            break
        value = value.args[0]
    return value, axis


def arguments(node: fx.Node) -> dict[str, Any]:
    """Return an operator's arguments by name, defaults included."""
    assert isinstance(node.target, torch._ops.OpOverload)
    bound: dict[str, Any] = {}
    for position, argument in enumerate(node.target._schema.arguments):
        if position < len(node.args) and not argument.kwarg_only:
            bound[argument.name] = node.args[position]
        elif argument.name in node.kwargs:
            bound[argument.name] = node.kwargs[argument.name]
        else:
            bound[argument.name] = argument.default_value if argument.has_default_value() else None
    return bound


def as_axis(axis: int, rank: int) -> int:
    """Return a non-negative axis."""
    return axis + rank if axis < 0 else axis


def elements(shape: Sequence[int]) -> int:
    """Return the number of elements of a shape."""
    return int(prod(shape))


def repeated(labels: Indices, before: int, after: int) -> Indices:
    """Return the labels of an axis flattened with ``before`` unlabelled indices outside and ``after`` inside it."""
    return np.ascontiguousarray(np.broadcast_to(labels[None, :, None], (before, len(labels), after))).ravel()
