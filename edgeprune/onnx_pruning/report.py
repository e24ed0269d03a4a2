"""What a graph holds and costs, and the table of its layers before and after."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np
import onnx

from edgeprune.onnx_pruning.graph import Graph, node_name
from edgeprune.onnx_pruning.tracer import Traced

_LAYERS = ("Conv", "ConvTranspose", "Gemm", "MatMul")


@dataclass(frozen=True)
class LayerSize:
    """One layer's output channels before and after; ``pinned`` says why none could go."""

    name: str
    kind: str
    before: int
    after: int
    pinned: str | None


def layers(before: Graph, after: Graph, traced: Traced) -> tuple[LayerSize, ...]:
    """Return the layers with weights in their order; ``traced`` are the labels of the last look at the graph."""
    last = {node.output[0]: node for node in traced.graph.nodes}
    reasons, roots = traced.labels.reasons(), traced.labels.roots()
    rows = []
    for node in before.nodes:
        if not _is_layer(node, before):
            continue
        axis = _channel_axis(node, before)
        was, now = before.shapes[node.output[0]][axis], after.shapes[node.output[0]][axis]
        labels = traced.axes[last[node.output[0]].output[0]][axis]
        why = [reasons.get(int(root)) for root in roots[labels]]
        pinned = why[0] if now == was and None not in why else None
        rows.append(LayerSize(_layer_name(node), node.op_type, was, now, pinned))
    return tuple(rows)


def parameters(graph: Graph) -> int:
    """Return how many floating-point numbers the graph stores."""
    return sum(value.size for value in graph.constants.values() if np.issubdtype(value.dtype, np.floating))


def macs(graph: Graph) -> int:
    """Return the multiply-accumulates of one sample (the leading axis of the first input counts samples)."""
    total = 0
    for node in graph.nodes:
        if node.op_type not in _LAYERS:
            continue
        outputs, data = prod(graph.shapes[node.output[0]]), graph.shapes[node.input[0]]
        weight = graph.shapes[node.input[1]]
        if node.op_type == "Conv":
            total += outputs * prod(weight[1:])
        elif node.op_type == "ConvTranspose":
            total += prod(data) * prod(weight[1:])
        elif node.op_type == "MatMul":
            total += outputs * data[-1]
        else:
            total += outputs * (prod(data) // graph.shapes[node.output[0]][0])
    shape = graph.shapes[graph.inputs[0].name] if graph.inputs else ()
    return total // (shape[0] if shape else 1)


def _is_layer(node: onnx.NodeProto, graph: Graph) -> bool:
    return node.op_type in _LAYERS and node.input[1] in graph.constants


def _channel_axis(node: onnx.NodeProto, graph: Graph) -> int:
    return 1 if node.op_type.startswith("Conv") else len(graph.shapes[node.output[0]]) - 1


def _layer_name(node: onnx.NodeProto) -> str:
    """Return what the layer was called where its weight still tells, else the node's name."""
    name, _, last = node.input[1].rpartition(".")
    return name if last == "weight" and name else node_name(node)
