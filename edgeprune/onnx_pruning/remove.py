"""Making the smaller graph: constants sliced, biases completed, and settings that count channels corrected."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
from onnx import helper

from edgeprune.onnx_pruning.dead import Findings
from edgeprune.onnx_pruning.fill import put_back
from edgeprune.onnx_pruning.graph import Graph, make_graph, to_model
from edgeprune.onnx_pruning.removal import Kept, Removal
from edgeprune.onnx_pruning.rules.movement import slice_bounds
from edgeprune.onnx_pruning.rules.space import constant_pads
from edgeprune.onnx_pruning.tracer import Traced, attribute


def remove(traced: Traced, findings: Findings) -> tuple[Graph, Kept]:
    """Return the graph without what is dead, and which places of which constants stayed.

    Raises:
        StageFailure: the smaller graph is not valid ONNX (a defect here).
    """
    work = Removal(traced, findings)
    for node in work.nodes:
        correct = _CORRECTIONS.get(node.op_type)
        if correct is not None and node.domain in ("", "ai.onnx"):
            correct(work, node)
    work.fold()
    work.slice_constants()
    for fill in traced.fills:
        put_back(work, fill)
    work.skip_idle()
    smaller = Graph(traced.graph.path, traced.graph.model, work.nodes, work.constants, {})
    return make_graph(to_model(smaller), traced.graph.path), work.kept


def _set_attribute(node: onnx.NodeProto, name: str, value: int | list[int]) -> None:
    for entry in list(node.attribute):
        if entry.name == name:
            node.attribute.remove(entry)
    node.attribute.append(helper.make_attribute(name, value))


def _group(work: Removal, node: onnx.NodeProto) -> None:
    """Correct the number of groups: those of which some input channel stays."""
    groups = attribute(node, "group", 1)
    if groups == 1:
        return
    labels = work.traced.axes[node.input[0]][1]
    inside = len(labels) // groups
    _set_attribute(node, "group", len({place // inside for place in work.findings.kept(labels).tolist()}))


def _shape_setting(work: Removal, node: onnx.NodeProto) -> None:
    """Correct the shape that a Reshape or an Expand is told."""
    if work.shrinks(node.output[0]):
        work.replace_input(node, 1, np.asarray(work.shape(node.output[0]), dtype=np.int64), "shape")


def _sizes(work: Removal, node: onnx.NodeProto) -> None:
    if work.shrinks(node.output[0]) and len(node.input) > 3 and node.input[3]:
        work.replace_input(node, 3, np.asarray(work.shape(node.output[0]), dtype=np.int64), "sizes")


def _split(work: Removal, node: onnx.NodeProto) -> None:
    if not work.shrinks(node.input[0]):
        return
    along = attribute(node, "axis", 0) % len(work.shape(node.input[0]))
    sizes = [work.shape(name)[along] for name in node.output]
    if work.traced.graph.opset < 13:
        _set_attribute(node, "split", sizes)
        return
    for entry in list(node.attribute):
        if entry.name == "num_outputs":
            node.attribute.remove(entry)
    work.replace_input(node, 1, np.asarray(sizes, dtype=np.int64), "split")


def _slice(work: Removal, node: onnx.NodeProto) -> None:
    if not work.shrinks(node.input[0]):
        return
    bounds = slice_bounds(node, work.traced.graph.shapes[node.input[0]], work.traced.graph.constants)
    assert bounds is not None
    starts, ends = [], []
    for axis, (start, stop, step) in bounds.items():
        places = work.findings.kept(work.traced.axes[node.input[0]][axis])
        if step == 1:
            start, stop = int((places < start).sum()), int((places < max(start, stop)).sum())
        starts.append(start)
        ends.append(stop if stop >= 0 else -(2**31))
    if work.shape(node.output[0]) == work.shape(node.input[0]) and all(step == 1 for _, _, step in bounds.values()):
        work.idle(node)
    settings = {"starts": starts, "ends": ends, "axes": list(bounds), "steps": [s for _, _, s in bounds.values()]}
    if work.traced.graph.opset < 10:
        for name in ("starts", "ends", "axes"):
            _set_attribute(node, name, settings[name])
        return
    for place, (name, values) in enumerate(settings.items()):
        work.replace_input(node, place + 1, np.asarray(values, dtype=np.int64), name)


def _pad(work: Removal, node: onnx.NodeProto) -> None:
    """Correct how much of a constant a Pad puts before and behind every axis."""
    if not work.shrinks(node.output[0]):
        return
    before, after = work.traced.axes[node.input[0]], work.traced.axes[node.output[0]]
    old = constant_pads(node, len(before), work.traced.graph.constants)
    if old is None:  # then what is padded stays whole
        return
    ends = [labels[:amount] for labels, amount in zip(after, old, strict=False)]
    ends += [labels[first + len(data) :] for labels, data, first in zip(after, before, old[: len(after)], strict=True)]
    amounts = [len(work.findings.kept(labels)) for labels in ends]
    if not any(amounts):
        work.idle(node)
    if work.traced.graph.opset < 11:
        _set_attribute(node, "pads", amounts)
    else:
        work.replace_input(node, 1, np.asarray(amounts, dtype=np.int64), "pads")


def _gather(work: Removal, node: onnx.NodeProto) -> None:
    axes = work.traced.axes[node.input[0]]
    axis = attribute(node, "axis", 0) % len(axes)
    places = work.findings.kept(axes[axis])
    if len(places) == len(axes[axis]):
        return
    wanted = work.traced.graph.constants[node.input[1]] % len(axes[axis])
    staying = wanted[work.findings.kept(work.traced.axes[node.output[0]][axis])]
    work.replace_input(node, 1, np.searchsorted(places, staying).astype(np.int64), "indices")


_CORRECTIONS: dict[str, Callable[[Removal, onnx.NodeProto], None]] = {
    "Conv": _group,
    "ConvTranspose": _group,
    "Reshape": _shape_setting,
    "Expand": _shape_setting,
    "Resize": _sizes,
    "Split": _split,
    "Slice": _slice,
    "Gather": _gather,
    "Pad": _pad,
}
