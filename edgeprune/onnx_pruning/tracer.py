"""Labels for every axis of every tensor of a graph: which indices must live or die together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import onnx
from onnx import helper

from edgeprune.onnx_pruning.graph import Graph, names_read, node_name
from edgeprune.onnx_pruning.labels import Indices, Labels
from edgeprune.onnx_pruning.runtime import Array

Axes = list[Indices]
Rule = Callable[["Tracer", onnx.NodeProto], None]


@dataclass(frozen=True)
class Reader:
    """Where labels end: an axis of ``data`` that is multiplied with one of ``other`` and summed over.

    ``groups`` and ``channel_axis`` (the output's) are for weights: with several groups, the weight's axis counts within
    a group, or in a transposed convolution the outputs' axis does. ``output_axis`` is the axis of ``other`` that makes
    the output channels, ``None`` where both operands are computed.
    """

    node: onnx.NodeProto
    data: str
    axis: int
    other: str
    other_axis: int
    output_axis: int | None
    channel_axis: int
    groups: int = 1


@dataclass(frozen=True)
class Fill:
    """A node that counts the indices of some axes of its data: what goes there must be zero, and be put back as zeros.

    ``axes`` are those axes and ``cut`` says whether the result has them too, to be cut again; ``vectors`` are constant
    operands along the last of them (scale and shift), by their place among the node's inputs.
    """

    node: onnx.NodeProto
    axes: tuple[int, ...]
    cut: bool
    vectors: tuple[int, ...] = ()


@dataclass(frozen=True)
class Choices:
    """Where an operator can shrink in two ways that exclude each other, which of them is followed.

    An ordinary grouped convolution shrinks by whole groups or (else) within its groups, by the same places in each. An
    axis that is cut into several, or made of several, shrinks along one free factor: the largest (the finest choice)
    for 0, the next smaller for 1, and so on.
    """

    whole_groups: bool = False
    factor: int = 0


@dataclass
class Traced:
    """The labels of a graph; ``axes`` has one entry per tensor that has any, with one array per axis.

    ``chosen`` names the fields of `Choices` that made a difference.
    """

    graph: Graph
    labels: Labels
    axes: dict[str, Axes]
    readers: list[Reader]
    fills: list[Fill]
    without_rule: list[str]
    chosen: set[str]


@dataclass
class Tracer:
    """What the operator rules work on."""

    graph: Graph
    choices: Choices
    labels: Labels = field(default_factory=Labels)
    layouts: dict[str, Axes] = field(default_factory=dict)
    readers: list[Reader] = field(default_factory=list)
    fills: list[Fill] = field(default_factory=list)
    without_rule: list[str] = field(default_factory=list)
    chosen: set[str] = field(default_factory=set)

    def choose(self, name: str) -> int:
        """Return one of the choices (0 or 1 for yes and no), and remember that it mattered."""
        self.chosen.add(name)
        return int(getattr(self.choices, name))

    def shape(self, name: str) -> tuple[int, ...]:
        """Return a tensor's shape."""
        return self.graph.shapes[name]

    def constant(self, name: str) -> Array | None:
        """Return a tensor's value where it is a constant."""
        return self.graph.constants.get(name)

    def axes(self, name: str) -> Axes:
        """Return a tensor's labels, fresh ones if it has none yet."""
        if name not in self.layouts:
            self.give(name, [self.labels.fresh(extent) for extent in self.shape(name)])
        return self.layouts[name]

    def give(self, name: str, axes: Axes) -> None:
        """Set a tensor's labels; a single index on an axis always stays."""
        self.layouts[name] = axes
        for labels in axes:
            if len(labels) == 1:
                self.labels.pin(labels, "its only index")

    def pin(self, name: str, reason: str, axes: list[int] | None = None) -> None:
        """Keep every index of some axes (all of them if none are named)."""
        layout = self.axes(name)
        for axis in range(len(layout)) if axes is None else axes:
            self.labels.pin(layout[axis], reason)

    def pin_node(self, node: onnx.NodeProto, reason: str) -> None:
        """Keep all that a node reads and writes."""
        for name in (*names_read(node), *(name for name in node.output if name)):
            if name in self.graph.shapes:
                self.pin(name, reason)

    def reads(self, node: onnx.NodeProto, axes: list[int]) -> None:
        """Record that every element along these axes of a node's data counts, unless it is zero."""
        data = node.input[0]
        self.readers.extend(Reader(node, data, axis, data, axis, None, axis) for axis in axes)

    def pin_rest(self, node: onnx.NodeProto, after: int) -> None:
        """Keep the operands from number ``after`` on: settings, not data."""
        for name in node.input[after:]:
            if name:
                self.pin(name, f"a setting of {node.op_type} {node_name(node)}")


def attribute(node: onnx.NodeProto, name: str, default: int) -> int:
    """Return a node's integer attribute."""
    found = next((entry for entry in node.attribute if entry.name == name), None)
    return default if found is None else int(helper.get_attribute_value(found))


def attribute_list(node: onnx.NodeProto, name: str) -> list[int] | None:
    """Return a node's attribute that is a list of integers, ``None`` where it has none."""
    found = next((entry for entry in node.attribute if entry.name == name), None)
    return None if found is None else [int(value) for value in helper.get_attribute_value(found)]


def arange(count: int) -> Indices:
    """Return the numbers below ``count``."""
    return np.arange(count, dtype=np.int64)
