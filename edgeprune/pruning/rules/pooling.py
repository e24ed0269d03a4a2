"""Pooling, resizing and padding: positions are mixed, channels carried."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor, fx

from edgeprune.pruning.labels import Axis, Layout
from edgeprune.pruning.walk import Result, RuleTable, Walk, arguments, as_axis, elements, operator_name, shape_of

TABLE = RuleTable()


def _positions(walk: Walk, data: Layout, count: int, shape: tuple[int, ...]) -> Layout:
    """Mix the last ``count`` axes; the others are carried."""
    lead = len(data.shape) - count
    walk.pin_axes(data, range(lead, len(data.shape)), "pooled over")
    return Layout(shape, (*data.axes[:lead], *(None,) * count), (*data.zero[:lead], *(True,) * count))


@TABLE.rule(
    *(f"{kind}_pool{count}d" for kind in ("max", "avg", "adaptive_avg", "adaptive_max") for count in (1, 2, 3)),
    *(f"max_pool{count}d_with_indices" for count in (2, 3)),
    *(f"_adaptive_avg_pool{count}d" for count in (2, 3)),
)
def pool(walk: Walk, node: fx.Node) -> Result:
    """Average and maximum pooling; zero channels stay zero."""
    count = int(operator_name(node).split("pool")[1][0])
    data = walk.layout(node.args[0])
    values = node.meta["val"]
    if isinstance(values, Tensor):
        return _positions(walk, data, count, shape_of(node))
    first = _positions(walk, data, count, tuple(values[0].shape))
    return first, Layout(first.shape, first.axes, (False,) * len(first.shape))


@TABLE.rule(
    *(f"upsample_{kind}" for kind in ("nearest1d", "nearest2d", "nearest3d", "linear1d", "bilinear2d", "trilinear3d")),
    *(f"_upsample_nearest_exact{count}d" for count in (1, 2, 3)),
    "upsample_bicubic2d",
    "_upsample_bilinear2d_aa",
    "_upsample_bicubic2d_aa",
)
def resize(walk: Walk, node: fx.Node) -> Layout:
    """Interpolation over positions."""
    data = walk.layout(node.args[0])
    return _positions(walk, data, len(data.shape) - 2, shape_of(node))


@TABLE.rule(
    "pad",
    "constant_pad_nd",
    *(f"{kind}_pad{count}d" for kind in ("reflection", "replication") for count in (1, 2, 3)),
)
def pad(walk: Walk, node: fx.Node) -> Layout:
    """Padding of positions, or by constant channels: they live and die with what they meet later."""
    bound = arguments(node)
    data = walk.layout(bound["self"])
    amounts = [int(amount) for amount in bound.get("pad") or bound["padding"]]
    value = bound.get("value")
    fills_zero = operator_name(node) not in ("pad", "constant_pad_nd") or not value
    axes: list[Axis] = list(data.axes)
    for place in range(len(amounts) // 2):
        axis = len(axes) - 1 - place
        before, after = amounts[2 * place : 2 * place + 2]
        if not (before or after):
            continue
        if operator_name(node) in ("pad", "constant_pad_nd") and min(before, after) >= 0 and not _repeats(bound):
            axes[axis] = _extended(walk, axes[axis], before, after)
        else:
            walk.labels.pin(axes[axis], "padded")
            axes[axis] = None
    return Layout(shape_of(node), tuple(axes), tuple(flag and fills_zero for flag in data.zero))


def _repeats(bound: dict[str, Any]) -> bool:
    """Tell whether padding takes its values from the data."""
    return bound.get("mode") not in (None, "constant")


def _extended(walk: Walk, labels: Axis, before: int, after: int) -> Axis:
    """Put labels of constant channels around an axis."""
    if labels is None:
        return None
    return np.concatenate([walk.labels.fresh(before), labels, walk.labels.fresh(after)])


@TABLE.rule("pixel_shuffle")
def pixel_shuffle(walk: Walk, node: fx.Node) -> Layout:
    """``factor**2`` channels become one channel's positions, and go together."""
    bound = arguments(node)
    data = walk.layout(bound["self"])
    labels = data.axes[-3]
    made: Axis = None
    if labels is not None:
        grid = labels.reshape(-1, int(bound["upscale_factor"]) ** 2)
        walk.labels.join(grid, grid[:, :1])
        made = grid[:, 0].copy()
    return Layout(shape_of(node), (*data.axes[:-3], made, None, None), data.zero)


@TABLE.rule("pixel_unshuffle")
def pixel_unshuffle(walk: Walk, node: fx.Node) -> Layout:
    """A channel's positions become ``factor**2`` channels with its label."""
    bound = arguments(node)
    data = walk.layout(bound["self"])
    labels: Any = data.axes[-3]
    made = None if labels is None else labels.repeat(int(bound["downscale_factor"]) ** 2)
    return Layout(shape_of(node), (*data.axes[:-3], made, None, None), data.zero)


@TABLE.rule("unfold")
def windows(walk: Walk, node: fx.Node) -> Layout:
    """Windows along one axis, their places on a new last axis."""
    bound = arguments(node)
    data = walk.layout(bound["self"])
    axes, zero = list(data.axes), list(data.zero)
    along = as_axis(int(bound["dimension"]), len(axes))
    walk.labels.pin(axes[along], "cut into windows")
    axes[along] = None
    return Layout(shape_of(node), (*axes, None), (*zero, True))


@TABLE.rule("im2col")
def unfold(walk: Walk, node: fx.Node) -> Layout:
    """Every channel becomes one channel per place of the window, the window's places within it."""
    data = walk.layout(node.args[0])
    channel = len(data.shape) - 3
    walk.pin_axes(data, (channel + 1, channel + 2), "cut into windows")
    labels = data.axes[channel]
    made = None if labels is None else labels.repeat(elements(arguments(node)["kernel_size"]))
    return Layout(shape_of(node), (*data.axes[:channel], made, None), (*data.zero[: channel + 1], True))


@TABLE.rule("col2im")
def fold(walk: Walk, node: fx.Node) -> Layout:
    """The reverse: what belongs to one channel goes together."""
    data = walk.layout(node.args[0])
    channel = len(data.shape) - 2
    walk.pin_axes(data, (channel + 1,), "put together from windows")
    labels = data.axes[channel]
    made: Axis = None
    if labels is not None:
        grid = labels.reshape(-1, elements(arguments(node)["kernel_size"]))
        walk.labels.join(grid, grid[:, :1])
        made = grid[:, 0].copy()
    return Layout(shape_of(node), (*data.axes[:channel], made, None, None), (*data.zero[: channel + 1], True, True))
