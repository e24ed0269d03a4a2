"""Batch normalisation as what it is at inference: one multiplication and one addition per channel.

Behind a convolution, a transposed one or a matrix product with constant weights the multiplication goes into the
weights, and what is left is a bias. Exporters usually do this; files of other tools often still carry the node.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

_PARAMETERS = 5
# From here on, the bias of a Gemm may be left out.
_OPTIONAL_BIAS_OPSET = 11
_DEFAULT_EPSILON = 1e-5
_FOLDABLE = ("Conv", "ConvTranspose", "Gemm")
Array = NDArray[np.float64]


def fold_batch_norms(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return ``model`` (shapes inferred) without BatchNormalization nodes whose parameters are constants.

    The nodes that take their place bear their names. Weights are scaled in float64 and rounded once.
    """
    folded = onnx.ModelProto()
    folded.CopyFrom(model)
    _Folder(folded).fold()
    return folded


@dataclass(frozen=True)
class _Normalisation:
    """``scale * x + shift`` per channel."""

    scale: Array
    shift: Array


class _Folder:
    def __init__(self, model: onnx.ModelProto) -> None:
        self._graph = graph = model.graph
        self._opset = max((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), default=1)
        self._weights = {tensor.name: tensor for tensor in graph.initializer}
        self._producers = {output: node for node in graph.node for output in node.output}
        self._uses = Counter([name for node in graph.node for name in node.input])
        self._uses.update(value.name for value in graph.output)
        values = (*graph.value_info, *graph.input, *graph.output)
        self._ranks = {value.name: len(value.type.tensor_type.shape.dim) for value in values}

    def fold(self) -> None:
        nodes: list[onnx.NodeProto] = []
        for node in self._graph.node:
            normalisation = self._normalisation(node)
            nodes.extend([node] if normalisation is None else self._replacement(node, normalisation))
        # Copies: clearing the field empties the nodes that lie in it.
        kept = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
        del self._graph.node[:]
        self._graph.node.extend(kept)

    def _normalisation(self, node: onnx.NodeProto) -> _Normalisation | None:
        if node.op_type != "BatchNormalization" or node.domain not in ("", "ai.onnx") or len(node.output) != 1:
            return None
        attributes = _attributes(node)
        known = len(node.input) == _PARAMETERS and all(name in self._weights for name in node.input[1:])
        if attributes.get("training_mode") or not known or node.input[0] not in self._ranks:
            return None
        gamma, beta, mean, variance = (self._array(name) for name in node.input[1:])
        scale = gamma / np.sqrt(variance + float(attributes.get("epsilon", _DEFAULT_EPSILON)))
        return _Normalisation(scale, beta - mean * scale)

    def _replacement(self, node: onnx.NodeProto, normalisation: _Normalisation) -> list[onnx.NodeProto]:
        data, output = node.input[0], node.output[0]
        shape = (1, -1) + (1,) * (self._ranks[data] - 2)
        shift = normalisation.shift
        bias = self._scale_producer(data, normalisation.scale)
        if bias is not None:
            return [self._arithmetic("Add", node, data, (shift + bias).reshape(shape), output)]
        scaled = f"{output}.scaled"
        return [
            self._arithmetic("Mul", node, data, normalisation.scale.reshape(shape), scaled),
            self._arithmetic("Add", node, scaled, shift.reshape(shape), output),
        ]

    def _scale_producer(self, data: str, scale: Array) -> Array | None:
        """Multiply the weights behind ``data`` and return the scaled bias they lose, or None where that cannot be."""
        producer = self._producers.get(data)
        if producer is None or self._uses[data] != 1 or producer.op_type not in _FOLDABLE:
            return None
        attributes = _attributes(producer)
        if producer.op_type == "Gemm" and self._opset < _OPTIONAL_BIAS_OPSET:
            return None
        if not all(name in self._weights for name in producer.input[1:] if name):
            return None
        bias = np.zeros_like(scale)
        if len(producer.input) > 2 and producer.input[2]:
            bias = np.broadcast_to(self._array(producer.input[2]).reshape(-1), scale.shape)
            bias = bias * float(attributes.get("beta", 1.0))
        weight = _scaled(producer.op_type, attributes, self._array(producer.input[1]), scale)
        name = self._add_weight(f"{producer.output[0]}.weight", weight)
        del producer.input[1:]
        producer.input.append(name)
        return bias * scale

    def _arithmetic(
        self, operator: str, replaced: onnx.NodeProto, data: str, values: Array, output: str
    ) -> onnx.NodeProto:
        name = replaced.name or replaced.output[0]
        constant = self._add_weight(f"{output}.{operator.lower()}", values)
        return helper.make_node(operator, [data, constant], [output], name=name)

    def _add_weight(self, name: str, values: Array) -> str:
        while name in self._weights or name in self._producers:
            name += "_"
        tensor = numpy_helper.from_array(values.astype(np.float32), name)
        self._graph.initializer.append(tensor)
        self._weights[name] = tensor
        return name

    def _array(self, name: str) -> Array:
        return numpy_helper.to_array(self._weights[name]).astype(np.float64)


def _scaled(operator: str, attributes: dict[str, Any], weight: Array, scale: Array) -> Array:
    """Return ``weight`` times the factor of the output channel that each element belongs to."""
    if operator == "Gemm" and not attributes.get("transB"):
        return weight * scale
    if operator != "ConvTranspose":
        return weight * scale.reshape((-1,) + (1,) * (weight.ndim - 1))
    # Input channels first; within a group of them, the output channels of that group.
    groups = int(attributes.get("group", 1))
    split = weight.reshape(groups, weight.shape[0] // groups, *weight.shape[1:])
    factors = scale.reshape((groups, 1, weight.shape[1]) + (1,) * (weight.ndim - 2))
    scaled: Array = (split * factors).reshape(weight.shape)
    return scaled


def _attributes(node: onnx.NodeProto) -> dict[str, Any]:
    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
