"""Tensors joined along an axis, or cut into pieces."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from torch import fx

from edgeprune.pruning.labels import Axis, Layout
from edgeprune.pruning.walk import Result, RuleTable, Walk, arguments, as_axis, shape_of

TABLE = RuleTable()


@TABLE.rule("cat", "concat", "concatenate")
def cat(walk: Walk, node: fx.Node) -> Layout:
    """Labels concatenate along the axis and meet along all others."""
    bound = arguments(node)
    parts = [walk.layout(value) for value in bound["tensors"]]
    roles = [value for value, part in zip(bound["tensors"], parts, strict=True) if part.shape != (0,)]
    parts = [part for part in parts if part.shape != (0,)]
    rank = len(parts[0].shape)
    place = as_axis(int(bound["dim"]), rank)
    axes, zero = [], []
    for axis in range(rank):
        for value in roles:
            walk.role(value, axis, "carrier")
        zero.append(all(part.zero[axis] for part in parts))
        if axis == place:
            axes.append(_chained(walk, parts, axis))
        else:
            axes.append(walk.unify([part.axes[axis] for part in parts], "concatenated with what must stay"))
    return Layout(shape_of(node), tuple(axes), tuple(zero))


def _chained(walk: Walk, parts: list[Layout], axis: int) -> Axis:
    if all(part.axes[axis] is None for part in parts):
        return None
    pieces = []
    for part in parts:
        labels = part.axes[axis]
        if labels is None:
            labels = walk.labels.fresh(part.shape[axis])
            walk.labels.pin(labels, "concatenated channels that must stay")
        pieces.append(labels)
    return np.concatenate(pieces)


@TABLE.rule("stack")
def stack(walk: Walk, node: fx.Node) -> Layout:
    """A new axis; all others meet."""
    bound = arguments(node)
    parts = [walk.layout(value) for value in bound["tensors"]]
    rank = len(parts[0].shape)
    axes: list[Axis] = []
    zero = []
    for axis in range(rank):
        axes.append(walk.unify([part.axes[axis] for part in parts], "stacked with what must stay"))
        zero.append(all(part.zero[axis] for part in parts))
    place = as_axis(int(bound["dim"]), rank + 1)
    axes.insert(place, None)
    zero.insert(place, True)
    return Layout(shape_of(node), tuple(axes), tuple(zero))


@TABLE.rule("chunk", "split", "split_with_sizes", "tensor_split")
def split(walk: Walk, node: fx.Node) -> Result:
    """Pieces of an axis. Equal pieces stay equal, because their number or size is written in the network's code."""
    data = walk.layout(node.args[0])
    place = as_axis(int(arguments(node)["dim"]), len(data.shape))
    sizes = [int(value.shape[place]) for value in node.meta["val"]]
    pieces = _pieces(walk, data.axes[place], sizes)
    results = []
    for size, labels in zip(sizes, pieces, strict=True):
        shape = (*data.shape[:place], size, *data.shape[place + 1 :])
        results.append(Layout(shape, (*data.axes[:place], labels, *data.axes[place + 1 :]), data.zero))
    return tuple(results)


def _pieces(walk: Walk, labels: Axis, sizes: Sequence[int]) -> list[Axis]:
    if labels is None:
        return [None] * len(sizes)
    bounds = np.cumsum([0, *sizes])
    pieces = [labels[start:end] for start, end in pairwise(bounds.tolist())]
    if len(set(sizes)) == 1:
        for piece in pieces[1:]:
            walk.labels.join(pieces[0], piece)
    return list(pieces)


@TABLE.rule("unbind")
def unbind(walk: Walk, node: fx.Node) -> Result:
    """All indices of an axis one by one: their number is written in the network's code."""
    data = walk.layout(node.args[0])
    place = as_axis(int(arguments(node)["dim"]), len(data.shape))
    walk.labels.pin(data.axes[place], "taken apart index by index")
    rest = [axis for axis in range(len(data.shape)) if axis != place]
    one = Layout(
        tuple(data.shape[axis] for axis in rest),
        tuple(data.axes[axis] for axis in rest),
        tuple(data.zero[axis] for axis in rest),
    )
    return (one,) * data.shape[place]


@TABLE.rule("slice", "narrow")
def take_slice(walk: Walk, node: fx.Node) -> Layout:
    """A run of indices; with a step, what is left would shift, so the axis stays."""
    bound = arguments(node)
    data = walk.layout(node.args[0])
    place = as_axis(int(bound["dim"] or 0), len(data.shape))
    shape = shape_of(node)
    labels = data.axes[place]
    axes = list(data.axes)
    if labels is not None and shape[place] != data.shape[place]:
        if bound.get("step") not in (None, 1):
            walk.labels.pin(labels, "sliced with a step")
            axes[place] = None
        else:
            start = _start(bound, data.shape[place])
            axes[place] = labels[start : start + shape[place]]
    return Layout(shape, tuple(axes), data.zero)


def _start(bound: dict[str, Any], size: int) -> int:
    start = int(bound["start"] or 0)
    return max(start + size, 0) if start < 0 else start


@TABLE.rule("select")
def select(walk: Walk, node: fx.Node) -> Layout:
    """One index of an axis, named by its number: the axis stays."""
    data = walk.layout(node.args[0])
    place = as_axis(int(arguments(node)["dim"]), len(data.shape))
    walk.labels.pin(data.axes[place], "one index selected by number")
    rest = [axis for axis in range(len(data.shape)) if axis != place]
    return Layout(shape_of(node), tuple(data.axes[axis] for axis in rest), tuple(data.zero[axis] for axis in rest))


@TABLE.rule("glu")
def glu(walk: Walk, node: fx.Node) -> Layout:
    """The first half times the sigmoid of the second: halves go together."""
    data = walk.layout(node.args[0])
    place = as_axis(int(arguments(node)["dim"]), len(data.shape))
    axes = list(data.axes)
    labels = axes[place]
    if labels is not None:
        half = len(labels) // 2
        walk.labels.join(labels[:half], labels[half:])
        axes[place] = labels[:half]
    return Layout(shape_of(node), tuple(axes), data.zero)


@TABLE.rule(operator.getitem.__name__)
def getitem(walk: Walk, node: fx.Node) -> Layout:
    """One of an operator's several results."""
    source, index = node.args[0], node.args[1]
    assert isinstance(source, fx.Node) and isinstance(index, int)
    results = walk.layouts.get(source.name)
    if isinstance(results, tuple):
        return results[index]
    if isinstance(results, Layout):
        walk.pin_axes(results, range(len(results.axes)), "taken out of a result")
    return Layout.fixed(shape_of(node))
