"""Which elements of which tensors are the same whatever the network's input, and what they are.

What is known is followed as a mask of unknown elements: a product with zero is known, a sum is known when all its
terms are. The values then need no arithmetic of their own: any run of the network has them at the known places.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import onnx
from onnx import helper

from edgeprune.onnx_pruning.graph import Graph, to_model
from edgeprune.onnx_pruning.labels import Flags
from edgeprune.onnx_pruning.rules.elementwise import NARY, UNARY
from edgeprune.onnx_pruning.rules.space import reduced_axes
from edgeprune.onnx_pruning.runtime import Array, run_model, run_node, seeded_inputs

_MOVED = frozenset(
    (
        "Reshape",
        "Flatten",
        "Squeeze",
        "Unsqueeze",
        "Transpose",
        "Concat",
        "Split",
        "Slice",
        "Expand",
        "MaxPool",
        "AveragePool",
        "GlobalAveragePool",
        "GlobalMaxPool",
        "DepthToSpace",
        "SpaceToDepth",
        "Tile",
        "Pad",
    )
)
"""Operators that tell by themselves what becomes of a mask: where some unknown element goes in, more than 0 is out."""


@dataclass
class Known:
    """Per tensor its value in some run and the mask of elements that depend on the input."""

    graph: Graph
    values: dict[str, Array]
    unknown: dict[str, Flags] = field(default_factory=dict)

    def reaches(self, name: str) -> Flags:
        """Return where a tensor can be other than zero."""
        return np.asarray(self.unknown_of(name) | (self.values[name] != 0))

    def unknown_of(self, name: str) -> Flags:
        """Return the mask of a tensor's unknown elements; constants have none."""
        if name not in self.unknown:
            self.unknown[name] = np.zeros(self.values[name].shape, dtype=np.bool_)
        return self.unknown[name]


def find_known(graph: Graph) -> Known:
    """Run the network once, and follow through it what is known.

    Raises:
        StageFailure: ONNX Runtime refuses the network.
    """
    known = Known(graph, _all_values(graph))
    for value in graph.inputs:
        known.unknown[value.name] = np.ones(graph.shapes[value.name], dtype=np.bool_)
    for node in graph.nodes:
        masks = _masks(known, node)
        for name, mask in zip([name for name in node.output if name], masks, strict=True):
            known.unknown[name] = np.broadcast_to(mask, graph.shapes[name])
    return known


def _all_values(graph: Graph) -> dict[str, Array]:
    model = to_model(graph)
    feeds = seeded_inputs(graph.inputs, seed=0)
    types = {value.name: value for value in (*model.graph.value_info, *model.graph.output)}
    del model.graph.output[:]
    for node in graph.nodes:
        model.graph.output.extend(types.get(name, onnx.ValueInfoProto(name=name)) for name in node.output if name)
    found = run_model(model, feeds, graph.path) if model.graph.output else {}
    return {**graph.constants, **feeds, **found}


def _masks(known: Known, node: onnx.NodeProto) -> list[Flags]:
    outputs = [name for name in node.output if name]
    standard = node.domain in ("", "ai.onnx")
    rule = _RULES.get(node.op_type) if standard else None
    if rule is not None:
        return [rule(known, node)] * len(outputs)
    if standard and node.op_type in _MOVED:
        return _moved(known, node)
    return [np.asarray(True)] * len(outputs)


def _as_number(mask: Flags) -> Array:
    return mask.astype(np.float32)


def _moved(known: Known, node: onnx.NodeProto) -> list[Flags]:
    settings = 0 if node.op_type == "Concat" else len(node.input) - 1
    names = list(node.input)
    data = names[: len(names) - settings]
    if any(name and known.unknown_of(name).any() for name in names[len(data) :]):
        return [np.asarray(True)] * len([name for name in node.output if name])
    operands: list[Array | None] = [_as_number(known.unknown_of(name)) for name in data]
    operands += [known.values[name] if name else None for name in names[len(data) :]]
    masks = [np.asarray(value > 0) for value in run_node(node, operands, known.graph.opset)]
    if node.op_type == "MaxPool":  # positions of the largest elements depend on values that differ
        masks[1:] = [np.asarray(True) for _ in masks[1:]]
    return masks


def _elementwise(known: Known, node: onnx.NodeProto) -> Flags:
    mask: Flags = np.zeros((), dtype=np.bool_)
    for name in node.input:
        if name:
            mask = np.asarray(np.logical_or(mask, known.unknown_of(name)))
    return mask


def _product(known: Known, node: onnx.NodeProto) -> Flags:
    """A sum of products of the first two operands: each term is unknown unless the other factor is zero."""
    left, right = node.input[0], node.input[1]
    plain = onnx.NodeProto()
    plain.CopyFrom(node)
    if node.op_type == "Gemm":
        kept = [entry for entry in node.attribute if entry.name in ("transA", "transB")]
        del plain.attribute[:]
        plain.attribute.extend(kept)
    mask: Flags = np.zeros((), dtype=np.bool_)
    pairs = ((known.unknown_of(left), known.reaches(right)), (known.reaches(left), known.unknown_of(right)))
    for one, other in pairs:
        if one.any() and other.any():
            operands: list[Array | None] = [_as_number(one), _as_number(other)]
            if node.op_type == "Gemm":
                operands.append(np.zeros(1, dtype=np.float32))
            found = run_node(plain, operands, known.graph.opset)[0]
            mask = np.asarray(np.logical_or(mask, found > 0))
    if len(node.input) > 2 and node.input[2]:
        added = known.unknown_of(node.input[2])
        mask = np.asarray(np.logical_or(mask, added if node.op_type == "Gemm" else added.any()))
    return mask


def _normalisation(known: Known, node: onnx.NodeProto) -> Flags:
    data = known.unknown_of(node.input[0])
    if node.op_type == "InstanceNormalization":
        data = np.asarray(data.any(axis=tuple(range(2, data.ndim)), keepdims=True))
    if any(known.unknown_of(name).any() for name in node.input[1:]):
        return np.asarray(True)
    scale = known.values[node.input[1]].reshape(-1, *([1] * (data.ndim - 2)))
    return np.asarray(data & (scale != 0))


def _layer_normalisation(known: Known, node: onnx.NodeProto) -> Flags:
    """Every feature depends on all of them, except where the scale is zero."""
    if any(name and known.unknown_of(name).any() for name in node.input[1:]):
        return np.asarray(True)
    data = known.unknown_of(node.input[0])
    first = next((int(entry.i) for entry in node.attribute if entry.name == "axis"), -1) % data.ndim
    data = np.asarray(data.any(axis=tuple(range(first, data.ndim)), keepdims=True))
    if len([name for name in node.output if name]) > 1:
        return np.asarray(True)
    return np.asarray(data & (known.values[node.input[1]] != 0))


def _reduction(known: Known, node: onnx.NodeProto) -> Flags:
    data = known.unknown_of(node.input[0])
    constants: dict[str, object] = dict(known.graph.constants)
    axes = reduced_axes(node, data.ndim, constants)
    if axes is None:
        return np.asarray(True)
    keep = next((bool(helper.get_attribute_value(e)) for e in node.attribute if e.name == "keepdims"), True)
    return np.asarray(data.any(axis=tuple(axes), keepdims=keep))


def _by_channel(known: Known, node: onnx.NodeProto) -> Flags:
    """Resizing: unknown in a channel is unknown everywhere in it."""
    if any(name and known.unknown_of(name).any() for name in node.input[1:]):
        return np.asarray(True)
    data, shape = known.unknown_of(node.input[0]), known.graph.shapes[node.output[0]]
    if data.shape[:2] != shape[:2]:
        return np.asarray(data.any())
    return np.asarray(data.any(axis=tuple(range(2, data.ndim)), keepdims=True))


def _gathered(known: Known, node: onnx.NodeProto) -> Flags:
    if known.unknown_of(node.input[1]).any():
        return np.asarray(True)
    operands: list[Array | None] = [_as_number(known.unknown_of(node.input[0])), known.values[node.input[1]]]
    return np.asarray(run_node(node, operands, known.graph.opset)[0] > 0)


_RULES: dict[str, Callable[[Known, onnx.NodeProto], Flags]] = {
    **dict.fromkeys((*UNARY, *NARY), _elementwise),
    **dict.fromkeys(("Conv", "ConvTranspose", "Gemm", "MatMul", "Mul"), _product),
    **dict.fromkeys(("BatchNormalization", "InstanceNormalization"), _normalisation),
    **dict.fromkeys(("ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL2"), _reduction),
    **dict.fromkeys(("Resize", "Upsample"), _by_channel),
    **dict.fromkeys(("LayerNormalization", "RMSNormalization"), _layer_normalisation),
    "Gather": _gathered,
}
