"""Zeros put back where a node counts what was removed: layer normalisations, means."""

from __future__ import annotations

import numpy as np
from onnx import NodeProto, helper

from edgeprune.onnx_pruning.removal import Removal
from edgeprune.onnx_pruning.tracer import Fill


def put_back(work: Removal, fill: Fill) -> None:
    """Fill a node's data with zeros to its old length along some axes, and cut its result again."""
    original = fill.node
    before = work.traced.graph.shapes[original.input[0]]
    after = work.shape(original.input[0])
    missing = {axis: before[axis] - after[axis] for axis in fill.axes if before[axis] != after[axis]}
    if not missing:
        return
    place = next(place for place, node in enumerate(work.nodes) if list(node.output) == list(original.output))
    node = work.nodes[place]
    padding = _pad(work, node, len(before), missing)
    for operand in fill.vectors:
        node.input[operand] = work.filled(node.input[operand], missing[fill.axes[-1]])
    work.nodes[place : place + 1] = [padding, node, *(_cut(work, node, after, missing) if fill.cut else ())]


def _pad(work: Removal, node: NodeProto, rank: int, missing: dict[int, int]) -> NodeProto:
    amounts = [0] * rank + [missing.get(axis, 0) for axis in range(rank)]
    source, filled = node.input[0], work.free_name(f"{node.input[0]}.filled")
    node.input[0] = filled
    if work.traced.graph.opset < 11:
        return helper.make_node("Pad", [source], [filled], name=filled, pads=amounts)
    pads = work.add_constant(f"{filled}.pads", np.asarray(amounts, dtype=np.int64))
    return helper.make_node("Pad", [source, pads], [filled], name=filled)


def _cut(work: Removal, node: NodeProto, after: list[int], missing: dict[int, int]) -> list[NodeProto]:
    result, whole = node.output[0], work.free_name(f"{node.output[0]}.filled")
    node.output[0] = whole
    axes = list(missing)
    ends = [after[axis] for axis in axes]
    if work.traced.graph.opset < 10:
        return [helper.make_node("Slice", [whole], [result], name=result, starts=[0] * len(axes), ends=ends, axes=axes)]
    told = [("starts", [0] * len(axes)), ("ends", ends), ("axes", axes)]
    names = [work.add_constant(f"{whole}.{name}", np.asarray(values, dtype=np.int64)) for name, values in told]
    return [helper.make_node("Slice", [whole, *names], [result], name=f"{result}.cut")]
