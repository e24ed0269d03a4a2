"""Operators with weights: convolutions, products of matrices and normalisations."""

from __future__ import annotations

import numpy as np
import onnx

from edgeprune.onnx_pruning.labels import Indices
from edgeprune.onnx_pruning.tracer import Axes, Fill, Reader, Rule, Tracer, attribute


def _convolution(tracer: Tracer, node: onnx.NodeProto) -> None:
    """Data (N, C, *), weight (O, C / groups, *), bias (O)."""
    data, weight = tracer.axes(node.input[0]), tracer.axes(node.input[1])
    groups = attribute(node, "group", 1)
    reason = f"space under the window of {node.op_type}"
    tracer.pin(node.input[0], reason, list(range(2, len(data))))
    tracer.pin(node.input[1], reason, list(range(2, len(weight))))
    if tracer.constant(node.input[1]) is None:
        tracer.pin_node(node, "a weight that is computed")
        return
    inside = len(weight[1])
    if groups == 1 or (inside > 1 and not tracer.choose("whole_groups")):
        _within_groups(tracer, node, groups)
    else:
        per_group = len(weight[0]) // groups
        for place in range(inside):
            tracer.labels.join(data[1][place::inside], data[1][0::inside])
        for place in range(per_group):
            tracer.labels.join(weight[0][place::per_group], data[1][0::inside])
        tracer.pin(node.input[1], "places within a group, whose number is kept", [1])
    _finish(tracer, node, weight[0])


def _within_groups(tracer: Tracer, node: onnx.NodeProto, groups: int) -> None:
    data, weight = tracer.axes(node.input[0]), tracer.axes(node.input[1])
    inside, per_group = len(weight[1]), len(weight[0]) // groups
    for group in range(groups):
        tracer.labels.join(weight[1], data[1][group * inside : (group + 1) * inside])
        tracer.labels.join(weight[0][:per_group], weight[0][group * per_group : (group + 1) * per_group])
    tracer.readers.append(Reader(node, node.input[0], 1, node.input[1], 1, 0, 1, groups))


def _transposed_convolution(tracer: Tracer, node: onnx.NodeProto) -> None:
    """Data (N, C, *), weight (C, O / groups, *), bias (O)."""
    data, weight = tracer.axes(node.input[0]), tracer.axes(node.input[1])
    groups = attribute(node, "group", 1)
    reason = f"space under the window of {node.op_type}"
    tracer.pin(node.input[0], reason, list(range(2, len(data))))
    tracer.pin(node.input[1], reason, list(range(2, len(weight))))
    if groups == 1 and tracer.constant(node.input[1]) is not None:
        tracer.labels.join(data[1], weight[0])
        tracer.readers.append(Reader(node, node.input[0], 1, node.input[1], 0, 1, 1))
        _finish(tracer, node, weight[1])
        return
    if tracer.constant(node.input[1]) is None:
        tracer.pin_node(node, "a weight that is computed")
        return
    inside = len(data[1]) // groups
    tracer.labels.join(data[1], weight[0])
    if inside > 1 and not tracer.choose("whole_groups"):
        for group in range(1, groups):
            tracer.labels.join(data[1][:inside], data[1][group * inside : (group + 1) * inside])
        tracer.readers.append(Reader(node, node.input[0], 1, node.input[1], 0, 1, 1, groups))
        outputs = np.tile(weight[1], groups)
    else:
        for place in range(1, inside):
            tracer.labels.join(data[1][place::inside], data[1][0::inside])
        tracer.pin(node.input[1], "places within a group, whose number is kept", [1])
        outputs = np.repeat(data[1][0::inside], len(weight[1]))
    _finish(tracer, node, outputs)


def _finish(tracer: Tracer, node: onnx.NodeProto, channels: Indices) -> None:
    """Label bias and output of a convolution."""
    data, shape = tracer.axes(node.input[0]), tracer.shape(node.output[0])
    if len(node.input) > 2 and node.input[2]:
        tracer.labels.join(tracer.axes(node.input[2])[0], channels)
    tracer.give(node.output[0], [data[0], channels, *(tracer.labels.fresh(n) for n in shape[2:])])
    tracer.pin(node.output[0], f"space under the window of {node.op_type}", list(range(2, len(shape))))


def _gemm(tracer: Tracer, node: onnx.NodeProto) -> None:
    """(M, K) x (K, N) + C, each factor transposed or not."""
    left_axis = 0 if attribute(node, "transA", 0) else 1
    right_axis = 1 if attribute(node, "transB", 0) else 0
    left, right = tracer.axes(node.input[0]), tracer.axes(node.input[1])
    tracer.labels.join(left[left_axis], right[right_axis])
    output_axis = None if tracer.constant(node.input[1]) is None else 1 - right_axis
    tracer.readers.append(Reader(node, node.input[0], left_axis, node.input[1], right_axis, output_axis, 1))
    result = [left[1 - left_axis], right[1 - right_axis]]
    tracer.give(node.output[0], result)
    if len(node.input) > 2 and node.input[2]:
        for own, labels in zip(reversed(tracer.axes(node.input[2])), reversed(result), strict=False):
            if len(own) == len(labels):
                tracer.labels.join(own, labels)


def _matmul(tracer: Tracer, node: onnx.NodeProto) -> None:
    """(..., M, K) x (..., K, N), with a vector on either side taken as a row or a column."""
    left, right = tracer.axes(node.input[0]), tracer.axes(node.input[1])
    if len(left) < 2 or len(right) < 2:
        tracer.pin_node(node, "a product with a vector")
        return
    tracer.labels.join(left[-1], right[-2])
    shape = tracer.shape(node.output[0])
    batch: Axes = []
    for axis in range(len(shape) - 2):
        place = axis - len(shape)
        sides = [side[place] for side in (left, right) if len(side) >= -place]
        full = [labels for labels in sides if len(labels) == shape[axis]]
        for labels in full[1:]:
            tracer.labels.join(full[0], labels)
        batch.append(full[0])
    constant = tracer.constant(node.input[1])
    output_axis = 1 if constant is not None and constant.ndim == 2 else None
    reader = Reader(node, node.input[0], len(left) - 1, node.input[1], len(right) - 2, output_axis, len(shape) - 1)
    tracer.readers.append(reader)
    tracer.give(node.output[0], [*batch, left[-2], right[-1]])


def _channel_normalisation(tracer: Tracer, node: onnx.NodeProto) -> None:
    """Batch and instance normalisation: data (N, C, *) and vectors (C)."""
    data = tracer.axes(node.input[0])
    if attribute(node, "training_mode", 0):
        tracer.pin_node(node, "a batch normalisation that is training")
        return
    for name in node.input[1:]:
        tracer.labels.join(tracer.axes(name)[0], data[1])
    tracer.give(node.output[0], data)
    if node.op_type == "InstanceNormalization":
        space = list(range(2, len(data)))
        tracer.reads(node, space)
        tracer.fills.append(Fill(node, tuple(space), cut=True))


def _layer_normalisation(tracer: Tracer, node: onnx.NodeProto) -> None:
    """Statistics count every feature; scale and shift have the last axis, or all that are normalised."""
    data = tracer.axes(node.input[0])
    over = list(range(attribute(node, "axis", -1) % len(data), len(data)))
    vectors = [place for place, name in enumerate(node.input) if place and name]
    plain = all(len(tracer.shape(node.input[place])) == 1 for place in vectors) and len(over) == 1
    if plain and all(tracer.constant(node.input[place]) is not None for place in vectors):
        for place in vectors:
            tracer.labels.join(tracer.axes(node.input[place])[0], data[-1])
        tracer.reads(node, over)
        tracer.fills.append(Fill(node, tuple(over), cut=True, vectors=tuple(vectors)))
    else:
        tracer.pin(node.input[0], "normalised over this axis", over)
        tracer.pin_rest(node, 1)
    tracer.give(node.output[0], list(data))
    for name in node.output[1:]:
        if name:
            tracer.pin(name, "a statistic")


def _einsum(tracer: Tracer, node: onnx.NodeProto) -> None:
    """A letter is an axis: equal letters meet, and one that is not in the result is summed over."""
    equation = next(entry.s for entry in node.attribute if entry.name == "equation").decode().replace(" ", "")
    inputs, arrow, output = equation.partition("->")
    terms = inputs.split(",")
    if not arrow or "." in equation or len(terms) > 2 or any(len(set(term)) != len(term) for term in terms):
        tracer.pin_node(node, f"einsum {equation}")
        return
    letters: dict[str, Indices] = {}
    for name, term in zip(node.input, terms, strict=True):
        for letter, labels in zip(term, tracer.axes(name), strict=True):
            tracer.labels.join(letters.setdefault(letter, labels), labels)
    for letter in letters:
        if letter not in output:
            found = [(name, term.index(letter)) for name, term in zip(node.input, terms, strict=True) if letter in term]
            (left, one), (right, other) = found[0], found[-1]
            tracer.readers.append(Reader(node, left, one, right, other, None, 0))
    tracer.give(node.output[0], [letters[letter] for letter in output])


LAYER_RULES: dict[str, Rule] = {
    "Conv": _convolution,
    "ConvTranspose": _transposed_convolution,
    "Gemm": _gemm,
    "MatMul": _matmul,
    "BatchNormalization": _channel_normalisation,
    "InstanceNormalization": _channel_normalisation,
    "LayerNormalization": _layer_normalisation,
    "RMSNormalization": _layer_normalisation,
    "Einsum": _einsum,
}
