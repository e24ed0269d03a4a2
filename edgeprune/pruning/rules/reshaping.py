"""Views: axes merged and cut. Which factor of a cut axis lives on is decided after the whole graph was seen."""

from __future__ import annotations

import numpy as np
from torch import fx

from edgeprune.pruning.labels import Axis, Indices, Layout
from edgeprune.pruning.walk import Product, RuleTable, Walk, arguments, elements, shape_of

TABLE = RuleTable()


@TABLE.rule("view", "reshape", "flatten", "unflatten", "_unsafe_view", "view_as", "reshape_as", "ravel")
def view(walk: Walk, node: fx.Node) -> Layout:
    """The same elements under another shape: blocks of axes that multiply to the same size correspond."""
    data = walk.layout(node.args[0])
    return reshaped(walk, data, shape_of(node))


@TABLE.rule("channel_shuffle", "native_channel_shuffle")
def channel_shuffle(walk: Walk, node: fx.Node) -> Layout:
    """Groups interleaved: the same position goes in every group."""
    bound = arguments(node)
    data = walk.layout(node.args[0])
    labels = data.axes[1]
    axes = list(data.axes)
    if labels is not None:
        grid = labels.reshape(int(bound["groups"]), -1)
        walk.labels.join(grid, grid[:1])
        axes[1] = grid.T.ravel()
    return Layout(shape_of(node), tuple(axes), data.zero)


def reshaped(walk: Walk, data: Layout, shape: tuple[int, ...]) -> Layout:
    """Return the layout of ``data`` under ``shape``."""
    axes: list[Axis] = [None] * len(shape)
    zero = [True] * len(shape)
    for before, after in _blocks(data.shape, shape):
        flat = _merge(walk, [data.axes[axis] for axis in before], [data.shape[axis] for axis in before])
        flag = all(data.zero[axis] for axis in before if data.axes[axis] is not None)
        parts = _cut(walk, flat, [shape[axis] for axis in after])
        for axis, labels in zip(after, parts, strict=True):
            axes[axis] = labels
            zero[axis] = flag
    return Layout(shape, tuple(axes), tuple(zero))


def _blocks(before: tuple[int, ...], after: tuple[int, ...]) -> list[tuple[list[int], list[int]]]:
    """Cut both shapes into the smallest runs of axes with equal products."""
    blocks = []
    left = right = 0
    while left < len(before) or right < len(after):
        one, other = [], []
        size_one = size_other = 1
        if left < len(before):
            one.append(left)
            size_one = before[left]
            left += 1
        if right < len(after):
            other.append(right)
            size_other = after[right]
            right += 1
        while size_one != size_other:
            if size_one < size_other:
                one.append(left)
                size_one *= before[left]
                left += 1
            else:
                other.append(right)
                size_other *= after[right]
                right += 1
        blocks.append((one, other))
    return blocks


def _merge(walk: Walk, axes: list[Axis], sizes: list[int]) -> Axis:
    """Return the labels of axes flattened into one."""
    live = [place for place, axis in enumerate(axes) if axis is not None]
    if not live:
        return None
    if len(live) == 1:
        place = live[0]
        labels = axes[place]
        assert labels is not None
        if sizes[place] == elements(sizes):
            return labels
        grid = labels[None, :, None]
        wide = np.broadcast_to(grid, (elements(sizes[:place]), len(labels), elements(sizes[place + 1 :])))
        return np.ascontiguousarray(wide).ravel()
    flat = walk.labels.fresh(elements(sizes))
    walk.products.append(Product(flat, tuple(sizes), tuple(axes)))
    return flat


def _cut(walk: Walk, flat: Axis, sizes: list[int]) -> list[Axis]:
    """Return the labels of one axis cut into several."""
    if flat is None or not sizes:
        walk.labels.pin(flat, "reshaped away")
        return [None] * len(sizes)
    grid = flat.reshape(sizes)
    varying = [place for place in range(len(sizes)) if sizes[place] > 1 and _varies(grid, place)]
    parts: list[Axis] = [None] * len(sizes)
    if len(varying) <= 1:
        place = varying[0] if varying else int(np.argmax(sizes))
        index = [0] * len(sizes)
        parts[place] = grid[tuple(slice(None) if axis == place else index[axis] for axis in range(len(sizes)))]
        return parts
    for place in varying:
        parts[place] = walk.labels.fresh(sizes[place])
    walk.products.append(Product(flat, tuple(sizes), tuple(parts)))
    return parts


def _varies(grid: Indices, axis: int) -> bool:
    return not bool((grid == grid.take([0], axis=axis)).all())
