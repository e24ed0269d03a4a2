"""Operators that work on some axes and leave the others alone: pooling, reductions, softmax, padding, resizing."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np
import onnx

from edgeprune.onnx_pruning.tracer import Fill, Rule, Tracer, attribute, attribute_list


def _changes(tracer: Tracer, node: onnx.NodeProto, worked: list[int], reason: str) -> None:
    """Give the output the input's labels except on the axes that are worked on, which stay on both sides."""
    source, shape = node.input[0], tracer.shape(node.output[0])
    tracer.pin(source, reason, worked)
    data = tracer.axes(source)
    axes = [tracer.labels.fresh(n) if axis in worked else data[axis] for axis, n in enumerate(shape)]
    tracer.give(node.output[0], axes)
    tracer.pin(node.output[0], reason, worked)
    tracer.pin_rest(node, 1)


def _pool(tracer: Tracer, node: onnx.NodeProto) -> None:
    worked = list(range(2, len(tracer.shape(node.input[0]))))
    _changes(tracer, node, worked, f"space under the window of {node.op_type}")
    for name in node.output[1:]:
        if name:
            tracer.pin(name, "positions that count channels")
            tracer.pin(node.input[0], "its positions are counted")


def reduced_axes(node: onnx.NodeProto, rank: int, constants: dict[str, object]) -> list[int] | None:
    """Return the axes a reduction runs over, ``None`` where they are computed."""
    axes = attribute_list(node, "axes")
    if axes is None and len(node.input) > 1 and node.input[1]:
        value = constants.get(node.input[1])
        if value is None:
            return None
        axes = [int(axis) for axis in value]  # type: ignore[attr-defined]
    if not axes:
        return [] if attribute(node, "noop_with_empty_axes", 0) else list(range(rank))
    return [axis % rank for axis in axes]


def _reduce(tracer: Tracer, node: onnx.NodeProto) -> None:
    data = tracer.axes(node.input[0])
    constants: dict[str, object] = dict(tracer.graph.constants)
    axes = reduced_axes(node, len(data), constants)
    if axes is None:
        tracer.pin_node(node, "a reduction over computed axes")
        return
    tracer.reads(node, axes)
    if node.op_type not in _ZERO_IS_NEUTRAL:
        tracer.fills.append(Fill(node, tuple(axes), cut=False))
    if attribute(node, "keepdims", 1):
        result = [tracer.labels.fresh(1) if axis in axes else data[axis] for axis in range(len(data))]
    else:
        result = [data[axis] for axis in range(len(data)) if axis not in axes]
    tracer.give(node.output[0], result)
    tracer.pin_rest(node, 1)


def _softmax(tracer: Tracer, node: onnx.NodeProto) -> None:
    rank = len(tracer.shape(node.input[0]))
    if tracer.graph.opset >= 13:
        worked = [attribute(node, "axis", -1) % rank]
    else:
        worked = list(range(attribute(node, "axis", 1) % rank, rank))
    tracer.pin(node.input[0], f"normalised by {node.op_type}", worked)
    tracer.give(node.output[0], tracer.axes(node.input[0]))


def _padded(tracer: Tracer, node: onnx.NodeProto) -> None:
    """Padding of space, or by constant channels, which live and die with what they meet later."""
    before, after = tracer.shape(node.input[0]), tracer.shape(node.output[0])
    amounts = constant_pads(node, len(before), tracer.graph.constants)
    if amounts is None:
        _resized(tracer, node, "padded")
        return
    result = list(tracer.axes(node.input[0]))
    for axis in [axis for axis, (one, other) in enumerate(zip(before, after, strict=True)) if one != other]:
        ends = [tracer.labels.fresh(amounts[axis]), tracer.labels.fresh(amounts[axis + len(before)])]
        result[axis] = np.concatenate([ends[0], result[axis], ends[1]])
    tracer.give(node.output[0], result)
    tracer.pin_rest(node, 1)


def constant_pads(node: onnx.NodeProto, rank: int, constants: Mapping[str, object]) -> list[int] | None:
    """Return how much of a constant a Pad puts before and behind every axis.

    ``None`` where it is computed, only for some axes, cuts off, or puts something else than a constant.
    """
    amounts = attribute_list(node, "pads")
    if len(node.input) > 1:
        value = constants.get(node.input[1])
        if value is None or (len(node.input) > 3 and node.input[3]):
            return None
        amounts = [int(amount) for amount in value]  # type: ignore[attr-defined]
    mode = next((entry.s for entry in node.attribute if entry.name == "mode"), b"constant")
    if amounts is None or len(amounts) != 2 * rank or min(amounts) < 0 or mode != b"constant":
        return None
    return amounts


def _resized(tracer: Tracer, node: onnx.NodeProto, reason: str) -> None:
    """Padding and resizing of space: batch and channels are left alone."""
    before, after = tracer.shape(node.input[0]), tracer.shape(node.output[0])
    worked = {axis for axis, (one, other) in enumerate(zip(before, after, strict=True)) if one != other}
    if worked & {0, 1} or attribute_list(node, "axes") is not None:
        tracer.pin_node(node, reason)
        return
    _changes(tracer, node, sorted(worked | set(range(2, len(before)))), reason)


_ZERO_IS_NEUTRAL = ("ReduceSum", "ReduceL1", "ReduceL2", "ReduceSumSquare")
_REDUCTIONS = "ReduceMean ReduceSum ReduceMax ReduceMin ReduceProd ReduceL1 ReduceL2 ReduceSumSquare ReduceLogSumExp"

SPACE_RULES: dict[str, Rule] = {
    **dict.fromkeys(("MaxPool", "AveragePool", "LpPool", "GlobalAveragePool", "GlobalMaxPool"), _pool),
    **dict.fromkeys(_REDUCTIONS.split(), _reduce),
    **dict.fromkeys(("Softmax", "LogSoftmax"), _softmax),
    "Pad": _padded,
    "Resize": partial(_resized, reason="resized"),
    "Upsample": partial(_resized, reason="resized"),
}
