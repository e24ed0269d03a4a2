"""Operators that move axes or repeat along them without mixing anything."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import fx

from edgeprune.pruning.labels import Axis, Layout
from edgeprune.pruning.walk import RuleTable, Walk, arguments, as_axis, shape_of

TABLE = RuleTable()


def _reordered(node: fx.Node, data: Layout, order: Sequence[int]) -> Layout:
    return Layout(shape_of(node), tuple(data.axes[axis] for axis in order), tuple(data.zero[axis] for axis in order))


@TABLE.rule("permute")
def permute(walk: Walk, node: fx.Node) -> Layout:
    """Axes in another order."""
    data = walk.layout(node.args[0])
    return _reordered(node, data, [as_axis(int(axis), len(data.shape)) for axis in arguments(node)["dims"]])


@TABLE.rule("transpose", "swapaxes", "swapdims")
def transpose(walk: Walk, node: fx.Node) -> Layout:
    """Two axes change places."""
    data = walk.layout(node.args[0])
    rank = len(data.shape)
    first, second = (as_axis(int(axis), rank) for axis in list(arguments(node).values())[1:3])
    order = list(range(rank))
    order[first], order[second] = second, first
    return _reordered(node, data, order)


@TABLE.rule("t", "numpy_T", "mT", "adjoint", "matrix_H")
def reverse(walk: Walk, node: fx.Node) -> Layout:
    """A matrix transposed."""
    data = walk.layout(node.args[0])
    rank = len(data.shape)
    order = [*range(rank - 2), *reversed(range(max(rank - 2, 0), rank))]
    return _reordered(node, data, order)


@TABLE.rule("movedim", "moveaxis")
def movedim(walk: Walk, node: fx.Node) -> Layout:
    """Axes moved to given places, the others in their order."""
    data = walk.layout(node.args[0])
    rank = len(data.shape)
    source, target = ([v] if isinstance(v, int) else list(v) for v in list(arguments(node).values())[1:3])
    fixed = {as_axis(place, rank): as_axis(axis, rank) for axis, place in zip(source, target, strict=True)}
    rest = iter([axis for axis in range(rank) if axis not in fixed.values()])
    return _reordered(node, data, [fixed[place] if place in fixed else next(rest) for place in range(rank)])


@TABLE.rule("unsqueeze")
def unsqueeze(walk: Walk, node: fx.Node) -> Layout:
    """One new axis of size one."""
    data = walk.layout(node.args[0])
    place = as_axis(int(arguments(node)["dim"]), len(data.shape) + 1)
    axes, zero = list(data.axes), list(data.zero)
    axes.insert(place, None)
    zero.insert(place, True)
    return Layout(shape_of(node), tuple(axes), tuple(zero))


@TABLE.rule("squeeze")
def squeeze(walk: Walk, node: fx.Node) -> Layout:
    """Axes of size one go."""
    data = walk.layout(node.args[0])
    rank = len(data.shape)
    dim = arguments(node).get("dim")
    asked = range(rank) if dim is None else [dim] if isinstance(dim, int) else dim
    gone = {as_axis(int(axis), rank) for axis in asked}
    gone = {axis for axis in gone if data.shape[axis] == 1}
    walk.pin_axes(data, sorted(gone), "squeezed away")
    return _reordered(node, data, [axis for axis in range(rank) if axis not in gone])


@TABLE.rule("expand", "expand_as", "broadcast_to")
def expand(walk: Walk, node: fx.Node) -> Layout:
    """Axes of size one become longer: how long, what they meet later decides."""
    data = walk.layout(node.args[0])
    shape = shape_of(node)
    new = len(shape) - len(data.shape)
    axes: list[Axis] = [walk.copies(size) for size in shape[:new]]
    zero = [False] * new
    for axis, size in enumerate(data.shape):
        wide = size == shape[axis + new]
        if not wide:
            walk.labels.pin(data.axes[axis], "broadcast")
        axes.append(data.axes[axis] if wide else walk.copies(shape[axis + new]))
        zero.append(data.zero[axis] and wide)
    return Layout(shape, tuple(axes), tuple(zero))


@TABLE.rule("repeat", "tile")
def repeat(walk: Walk, node: fx.Node) -> Layout:
    """The whole axis again and again: the labels too. An axis of size one becomes longer, as by ``expand``."""
    data = walk.layout(node.args[0])
    shape = shape_of(node)
    new = len(shape) - len(data.shape)
    axes: list[Axis] = [walk.copies(size) for size in shape[:new]]
    zero = [False] * new
    for axis, labels in enumerate(data.axes):
        size, before = shape[axis + new], data.shape[axis]
        if before == 1 and size > 1:
            walk.labels.pin(labels, "broadcast")
            axes.append(walk.copies(size))
            zero.append(False)
            continue
        axes.append(labels if labels is None or size == before else np.tile(labels, size // before))
        zero.append(data.zero[axis])
    return Layout(shape, tuple(axes), tuple(zero))


@TABLE.rule("repeat_interleave")
def repeat_interleave(walk: Walk, node: fx.Node) -> Layout:
    """Every index several times in a row."""
    bound = arguments(node)
    data = walk.layout(node.args[0])
    times, dim = bound.get("repeats"), bound.get("dim")
    if not isinstance(times, int) or dim is None:
        walk.pin_axes(data, range(len(data.shape)), "repeated by a tensor")
        return Layout.fixed(shape_of(node))
    axes = list(data.axes)
    axis = as_axis(int(dim), len(axes))
    labels = axes[axis]
    axes[axis] = None if labels is None else labels.repeat(times)
    return Layout(shape_of(node), tuple(axes), data.zero)


@TABLE.rule("flip")
def flip(walk: Walk, node: fx.Node) -> Layout:
    """Indices in the opposite order."""
    data = walk.layout(node.args[0])
    axes = list(data.axes)
    for axis in arguments(node)["dims"]:
        labels = axes[axis]
        axes[axis] = None if labels is None else labels[::-1]
    return Layout(shape_of(node), tuple(axes), data.zero)


@TABLE.rule("roll")
def roll(walk: Walk, node: fx.Node) -> Layout:
    """A shift is a number in the network's code: labels along it stay."""
    data = walk.layout(node.args[0])
    dims = list(arguments(node)["dims"]) or list(range(len(data.shape)))
    over = {as_axis(int(axis), len(data.shape)) for axis in dims}
    walk.pin_axes(data, sorted(over), "rolled along")
    axes = tuple(None if axis in over else labels for axis, labels in enumerate(data.axes))
    return Layout(shape_of(node), axes, data.zero)
