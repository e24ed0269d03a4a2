"""The smaller graph while it is made: copied nodes, sliced and new constants, biases that take over what goes."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper

from edgeprune.onnx_pruning.dead import Findings, following_add
from edgeprune.onnx_pruning.graph import names_read
from edgeprune.onnx_pruning.labels import Indices
from edgeprune.onnx_pruning.runtime import Array
from edgeprune.onnx_pruning.tracer import Traced

Kept = dict[str, dict[int, Indices]]
"""Constant -> axis -> the places that stay; only axes that lose something are listed."""


class Removal:
    """The graph being made: copies of the nodes, and constants some of which are new."""

    def __init__(self, traced: Traced, findings: Findings) -> None:
        self.traced = traced
        self.findings = findings
        self.nodes = [_copy(node) for node in traced.graph.nodes]
        self.constants: dict[str, Array] = dict(traced.graph.constants)
        self.kept: Kept = {}
        self._users = traced.graph.users()
        self._made: set[str] = set()
        self._idle: list[onnx.NodeProto] = []
        self._filled: dict[tuple[str, int], str] = {}
        self._added: set[str] = set()

    def shape(self, name: str) -> list[int]:
        """Return the shape a tensor will have."""
        return [len(self.findings.kept(labels)) for labels in self.traced.axes[name]]

    def shrinks(self, name: str) -> bool:
        """Tell whether a tensor loses anything."""
        return tuple(self.shape(name)) != self.traced.graph.shapes[name]

    def replace_input(self, node: onnx.NodeProto, place: int, value: Array, hint: str) -> None:
        """Give ``node`` a constant of its own; its name stays if nobody else reads the old one."""
        while len(node.input) <= place:
            node.input.append("")
        name = node.input[place]
        if not name or self._users[name] != 1:
            name = base = name or f"{node.name or node.output[0]}.{hint}"
            number = 0
            while name in self.constants or name in self.traced.graph.shapes:
                number += 1
                name = f"{base}_{number}"
        node.input[place] = name
        self.constants[name] = value
        self._made.add(name)

    def slice_constants(self) -> None:
        """Take away from every constant what is dead on its axes; constants made here have their size already."""
        for name, value in self.traced.graph.constants.items():
            for axis, labels in enumerate(self.traced.axes.get(name, [])):
                places = self.findings.kept(labels)
                if len(places) < len(labels):
                    self.kept.setdefault(name, {})[axis] = places
                    value = np.take(value, places, axis=axis)
            if name not in self._made:
                self.constants[name] = value

    def add_constant(self, base: str, value: Array) -> str:
        """Store a constant under a name nobody has, near ``base``, and return that."""
        name = self.free_name(base)
        self.constants[name] = value
        return name

    def filled(self, name: str, missing: int) -> str:
        """Store a vector with zeros behind it, once for all who want it, and return its name."""
        if (name, missing) not in self._filled:
            self._filled[name, missing] = self.add_constant(
                f"{name}.filled", np.pad(self.constants[name], (0, missing))
            )
        return self._filled[name, missing]

    def free_name(self, base: str) -> str:
        """Return a name nobody has, near ``base``."""
        name, number = base, 0
        while name in self.constants or name in self.traced.graph.shapes or name in self._added:
            number += 1
            name = f"{base}_{number}"
        self._added.add(name)
        return name

    def idle(self, node: onnx.NodeProto) -> None:
        """Remember a node that no longer does anything to its first input."""
        result = node.output[0]
        inside = any(result in names_read(reader) and result not in reader.input for reader in self.nodes)
        if not inside and all(value.name != result for value in self.traced.graph.outputs):
            self._idle.append(node)

    def skip_idle(self) -> None:
        """Take out the nodes that do nothing; who read their output reads their input."""
        for idle in self._idle:
            self.nodes = [node for node in self.nodes if node is not idle]
            for node in self.nodes:
                node.input[:] = [idle.input[0] if name == idle.output[0] else name for name in node.input]

    def fold(self) -> None:
        """Add to the biases what removed constant channels gave."""
        for node in self.nodes:
            amount = self.findings.folds.get(node.output[0])
            if amount is None:
                continue
            outputs = self.traced.axes[node.output[0]]
            channel = outputs[-1] if node.op_type in ("MatMul", "Gemm") else outputs[1]
            self._add_to_bias(node, amount, channel)

    def _add_to_bias(self, node: onnx.NodeProto, amount: Array, channel: Indices) -> None:
        holder, place = node, 2
        if node.op_type == "MatMul":
            found = following_add(node, self.traced)
            assert found is not None
            holder = next(other for other in self.nodes if other.output[0] == found[0].output[0])
            place = found[1]
        dtype = self.traced.graph.constants[node.input[1]].dtype
        old: Array = np.zeros(len(amount), dtype=dtype)
        if len(holder.input) > place and holder.input[place]:
            old = self.traced.graph.constants[holder.input[place]]
        if node.op_type == "Gemm":
            old = old * _take_factor(node, "beta")
        full = np.asarray(old + amount)
        sliced = np.take(full, self.findings.kept(channel), axis=-1)
        if sliced.ndim == 2 and sliced.shape[0] > 1:
            sliced = np.take(sliced, self.findings.kept(self.traced.axes[node.output[0]][0]), axis=0)
        self.replace_input(holder, place, sliced.astype(dtype), "bias")


def _copy(node: onnx.NodeProto) -> onnx.NodeProto:
    copied = onnx.NodeProto()
    copied.CopyFrom(node)
    return copied


def _take_factor(node: onnx.NodeProto, name: str) -> float:
    """Return a factor and leave 1 in its place."""
    value = 1.0
    for entry in list(node.attribute):
        if entry.name == name:
            value = float(helper.get_attribute_value(entry))
            node.attribute.remove(entry)
    return value
