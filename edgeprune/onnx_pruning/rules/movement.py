"""Operators that only move elements: reshaping, transposing, joining, cutting."""

from __future__ import annotations

from math import prod

import numpy as np
import onnx

from edgeprune.onnx_pruning.labels import Indices, Labels
from edgeprune.onnx_pruning.runtime import Array
from edgeprune.onnx_pruning.tracer import Axes, Rule, Tracer, attribute, attribute_list


def _reshape(tracer: Tracer, node: onnx.NodeProto) -> None:
    source, result = node.input[0], node.output[0]
    before, after = tracer.shape(source), tracer.shape(result)
    data = tracer.axes(source)
    made: dict[int, Indices] = {}
    for ins, outs in _blocks(before, after):
        if len(ins) == 1 and len(outs) == 1:
            made[outs[0]] = data[ins[0]]
        elif len(outs) == 1:
            made[outs[0]] = _merged(tracer, [data[axis] for axis in ins])
        elif len(ins) == 1:
            made.update(zip(outs, _cut(tracer, data[ins[0]], [after[axis] for axis in outs]), strict=True))
        else:
            whole = _merged(tracer, [data[axis] for axis in ins])
            extents = [after[axis] for axis in outs]
            made.update(zip(outs, _cut_along(tracer, whole, extents, _finest(whole, extents)), strict=True))
    tracer.give(result, [made.get(axis, tracer.labels.fresh(1)) for axis in range(len(after))])
    tracer.pin_rest(node, 1)


def _blocks(before: tuple[int, ...], after: tuple[int, ...]) -> list[tuple[list[int], list[int]]]:
    """Return runs of input and of output axes that hold the same elements; axes of length 1 are in none."""
    left = [axis for axis, extent in enumerate(before) if extent != 1]
    right = [axis for axis, extent in enumerate(after) if extent != 1]
    blocks = []
    while left and right:
        ins, outs = [left.pop(0)], [right.pop(0)]
        while (one := prod(before[axis] for axis in ins)) != (other := prod(after[axis] for axis in outs)):
            if one < other:
                ins.append(left.pop(0))
            else:
                outs.append(right.pop(0))
        blocks.append((ins, outs))
    return blocks


def _coordinate(extents: list[int], factor: int) -> Indices:
    """Return for each index of the merged axis its place along one of the factors."""
    shape = [1] * len(extents)
    shape[factor] = extents[factor]
    places = np.arange(extents[factor], dtype=np.int64).reshape(shape)
    return np.broadcast_to(places, extents).ravel()


def _factor(tracer: Tracer, extents: list[int], free: list[int]) -> int:
    """Choose the factor to follow among those that can shrink; the largest leaves the finest choice."""
    if len(free) < 2:
        return free[0] if free else 0
    by_size = sorted(free, key=lambda place: -extents[place])
    return by_size[min(tracer.choose("factor"), len(free) - 1)]


def _merged(tracer: Tracer, factors: list[Indices]) -> Indices:
    """Follow one factor that can shrink and keep the others."""
    extents = [len(labels) for labels in factors]
    free = [place for place, labels in enumerate(factors) if not tracer.labels.is_pinned(labels)]
    chosen = _factor(tracer, extents, free)
    for place, labels in enumerate(factors):
        if place != chosen:
            tracer.labels.pin(labels, "merged with another axis")
    return factors[chosen][_coordinate(extents, chosen)]


def _cut(tracer: Tracer, whole: Indices, extents: list[int]) -> list[Indices]:
    """Follow one factor and keep the others."""
    return _cut_along(tracer, whole, extents, _factor(tracer, extents, list(range(len(extents)))))


def _finest(whole: Indices, extents: list[int]) -> int:
    """Choose the factor along which the labels of a merged axis fall into the most sets."""
    _, labels = np.unique(whole, return_inverse=True)
    sets = []
    for factor in range(len(extents)):
        joined = Labels()
        own, place = joined.fresh(int(labels.max()) + 1), joined.fresh(extents[factor])
        joined.join(own[labels], place[_coordinate(extents, factor)])
        sets.append(len(np.unique(joined.roots())))
    return int(np.argmax(sets))


def _cut_along(tracer: Tracer, whole: Indices, extents: list[int], chosen: int) -> list[Indices]:
    coordinate = _coordinate(extents, chosen)
    representatives = whole[[int(np.flatnonzero(coordinate == place)[0]) for place in range(extents[chosen])]]
    tracer.labels.join(whole, representatives[coordinate])
    made = [representatives if place == chosen else tracer.labels.fresh(n) for place, n in enumerate(extents)]
    for place, labels in enumerate(made):
        if place != chosen:
            tracer.labels.pin(labels, "cut along another factor of its axis")
    return made


def _channels_to_space(tracer: Tracer, node: onnx.NodeProto) -> None:
    """Pixel shuffle: the input's channels are (channel, block, block) or, by default, (block, block, channel)."""
    data, shape = tracer.axes(node.input[0]), tracer.shape(node.output[0])
    mode = next((entry.s for entry in node.attribute if entry.name == "mode"), b"DCR")
    by_output = data[1].reshape(shape[1], -1).T if mode == b"CRD" else data[1].reshape(-1, shape[1])
    for row in by_output[1:]:
        tracer.labels.join(by_output[0], row)
    _around_space(tracer, node, by_output[0])


def _space_to_channels(tracer: Tracer, node: onnx.NodeProto) -> None:
    """The reverse: the output's channels are (block, block, channel)."""
    channels = tracer.axes(node.input[0])[1]
    _around_space(tracer, node, np.tile(channels, tracer.shape(node.output[0])[1] // len(channels)))


def _around_space(tracer: Tracer, node: onnx.NodeProto, channels: Indices) -> None:
    data, shape = tracer.axes(node.input[0]), tracer.shape(node.output[0])
    tracer.give(node.output[0], [data[0], channels, *(tracer.labels.fresh(extent) for extent in shape[2:])])
    for name in (node.input[0], node.output[0]):
        tracer.pin(name, f"space cut by {node.op_type}", [2, 3])


def _transpose(tracer: Tracer, node: onnx.NodeProto) -> None:
    data = tracer.axes(node.input[0])
    order = attribute_list(node, "perm") or list(range(len(data)))[::-1]
    tracer.give(node.output[0], [data[axis] for axis in order])


def _concat(tracer: Tracer, node: onnx.NodeProto) -> None:
    layouts = [tracer.axes(name) for name in node.input]
    along = attribute(node, "axis", 1) % len(layouts[0])
    result: Axes = []
    for axis in range(len(layouts[0])):
        if axis == along:
            result.append(np.concatenate([layout[axis] for layout in layouts]))
            continue
        for layout in layouts[1:]:
            tracer.labels.join(layouts[0][axis], layout[axis])
        result.append(layouts[0][axis])
    tracer.give(node.output[0], result)


def _split(tracer: Tracer, node: onnx.NodeProto) -> None:
    data = tracer.axes(node.input[0])
    along = attribute(node, "axis", 0) % len(data)
    start = 0
    for name in node.output:
        stop = start + tracer.shape(name)[along]
        tracer.give(name, [*data[:along], data[along][start:stop], *data[along + 1 :]])
        start = stop
    tracer.pin_rest(node, 1)


def slice_bounds(
    node: onnx.NodeProto, shape: tuple[int, ...], constants: dict[str, Array]
) -> dict[int, tuple[int, int, int]] | None:
    """Return (start, stop, step) per axis cut, counted from the front, ``None`` where something is computed."""
    names = list(node.input[1:]) + [""] * (5 - len(node.input))
    if any(name and name not in constants for name in names):
        return None
    told: list[list[int]] = [constants[name].tolist() if name else [] for name in names]
    starts, ends = told[0] or attribute_list(node, "starts") or [], told[1] or attribute_list(node, "ends") or []
    axes = told[2] or attribute_list(node, "axes") or list(range(len(starts)))
    steps = told[3] or [1] * len(starts)
    bounds = {}
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        bounds[axis % len(shape)] = slice(start, end, step).indices(shape[axis])
    return bounds


def _slice(tracer: Tracer, node: onnx.NodeProto) -> None:
    shape = tracer.shape(node.input[0])
    bounds = slice_bounds(node, shape, tracer.graph.constants)
    if bounds is None:
        tracer.pin_node(node, "cut at computed bounds")
        return
    tracer.pin(node.input[0], "cut with a step", [axis for axis, (_, _, step) in bounds.items() if step != 1])
    result = list(tracer.axes(node.input[0]))
    for axis, (start, stop, step) in bounds.items():
        places = np.arange(start, stop, step, dtype=np.int64)
        result[axis] = result[axis][places]
    tracer.give(node.output[0], result)
    tracer.pin_rest(node, 1)


def _gather(tracer: Tracer, node: onnx.NodeProto) -> None:
    data = tracer.axes(node.input[0])
    axis = attribute(node, "axis", 0) % len(data)
    places = tracer.constant(node.input[1])
    if places is not None and places.ndim == 1:
        made = [data[axis][places.astype(np.int64)]]
    else:
        tracer.pin(node.input[0], "indexed", [axis])
        made = list(tracer.axes(node.input[1]))
    tracer.give(node.output[0], [*data[:axis], *made, *data[axis + 1 :]])
    tracer.pin_rest(node, 1)


def _expand(tracer: Tracer, node: onnx.NodeProto) -> None:
    data, shape = tracer.axes(node.input[0]), tracer.shape(node.output[0])
    padded = [None] * (len(shape) - len(data)) + list(data)
    axes = [
        own if own is not None and len(own) == extent else tracer.labels.fresh(extent)
        for own, extent in zip(padded, shape, strict=True)
    ]
    tracer.give(node.output[0], axes)
    tracer.pin_rest(node, 1)


MOVEMENT_RULES: dict[str, Rule] = {
    **dict.fromkeys(("Reshape", "Flatten", "Squeeze", "Unsqueeze"), _reshape),
    "Transpose": _transpose,
    "Concat": _concat,
    "Split": _split,
    "Slice": _slice,
    "Gather": _gather,
    "Expand": _expand,
    "DepthToSpace": _channels_to_space,
    "SpaceToDepth": _space_to_channels,
}
