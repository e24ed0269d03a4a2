"""Reductions: a sum may run over what is zero, a mean must go on counting it."""

from __future__ import annotations

from typing import Any

from torch import fx

from edgeprune.pruning.labels import Axis, Layout
from edgeprune.pruning.rules.pointwise import pointwise
from edgeprune.pruning.walk import Result, RuleTable, Walk, arguments, as_axis, operator_name, shape_of

TABLE = RuleTable()

_ZERO_IS_NEUTRAL = {"sum", "linalg_vector_norm", "norm", "count_nonzero"}
COUNTS_ALIKE = {"sum", "mean", "amax", "amin"}
"""Reductions whose result over many equal entries follows from that over one."""
_ZERO_GIVES_ZERO = {"sum", "mean", "amax", "amin", "linalg_vector_norm", "norm", "std", "var", "prod"}


@TABLE.rule("sum", "mean", "amax", "amin", "linalg_vector_norm", "norm", "std", "var", "prod", "any", "all")
def reduce(walk: Walk, node: fx.Node) -> Layout:
    """Reduce over axes; the axes left carry their labels."""
    bound = arguments(node)
    name = operator_name(node)
    data = walk.layout(node.args[0])
    rank = len(data.shape)
    over = _axes(bound.get("dim"), rank)
    keepdim = bool(bound.get("keepdim"))
    neutral = name in _ZERO_IS_NEUTRAL and bound.get("ord", bound.get("p", 2)) in (None, 1, 2)
    for axis in over:
        alone = all(data.axes[other] is None for other in over - {axis})
        _over(walk, node, data, axis, neutral, alone)
    return Layout(shape_of(node), *_left(data, over, keepdim, name in _ZERO_GIVES_ZERO))


def _left(data: Layout, over: set[int], keepdim: bool, gives_zero: bool) -> tuple[tuple[Axis, ...], tuple[bool, ...]]:
    """Return the axes and flags of what a reduction leaves."""
    axes: list[Axis] = []
    zero = []
    for axis, labels in enumerate(data.axes):
        if axis in over and not keepdim:
            continue
        axes.append(None if axis in over else labels)
        zero.append(axis in over or (data.zero[axis] and gives_zero))
    return tuple(axes), tuple(zero)


def _over(walk: Walk, node: fx.Node, data: Layout, axis: int, neutral: bool, alone: bool) -> None:
    """Reduce over one axis: zeros make no difference, or go on counting, or the axis stays.

    What is no zero but alike goes on counting too, if the axis is ``alone``.
    """
    if data.axes[axis] is None:
        return
    if axis in data.alike and alone and operator_name(node) in COUNTS_ALIKE:
        walk.fill(node, [("self", axis)], None)
    elif not data.zero[axis]:
        walk.labels.pin(data.axes[axis], f"{operator_name(node)} over channels that are not zero when masked")
    elif neutral:
        walk.mix(node, (node.args[0], axis))
    else:
        walk.fill(node, [("self", axis)], None)


@TABLE.rule("cosine_similarity")
def cosine(walk: Walk, node: fx.Node) -> Layout:
    """A product and two lengths, to all of which zeros add nothing."""
    bound = arguments(node)
    data = [walk.layout(bound[name]) for name in ("x1", "x2")]
    if data[0].shape != data[1].shape:
        for layout in data:
            walk.pin_axes(layout, range(len(layout.shape)), "compared with another shape")
        return Layout.fixed(shape_of(node))
    over = as_axis(int(bound["dim"]), len(data[0].shape))
    axes = [
        walk.unify([one, other], "compared with what must stay")
        for one, other in zip(data[0].axes, data[1].axes, strict=True)
    ]
    for name, layout in zip(("x1", "x2"), data, strict=True):
        if layout.zero[over]:
            walk.mix(node, (bound[name], over))
        else:
            walk.labels.pin(layout.axes[over], "compared over channels that are not zero when masked")
    left = tuple(labels for axis, labels in enumerate(axes) if axis != over)
    return Layout(shape_of(node), left, (False,) * len(left))


@TABLE.rule("var_mean", "std_mean")
def moments(walk: Walk, node: fx.Node) -> Result:
    """Two results of the same axes."""
    bound = arguments(node)
    data = walk.layout(node.args[0])
    over = _axes(bound.get("dim"), len(data.shape))
    for axis in over:
        _over(walk, node, data, axis, False, all(data.axes[other] is None for other in over - {axis}))
    axes, zero = _left(data, over, bool(bound.get("keepdim")), True)
    return tuple(Layout(tuple(int(size) for size in value.shape), axes, zero) for value in node.meta["val"])


@TABLE.rule("softmax", "log_softmax", "_softmax", "_log_softmax", "cumsum", "cumprod")
def along(walk: Walk, node: fx.Node) -> Layout:
    """Mixes one axis and keeps its length."""
    bound = arguments(node)
    data = walk.layout(node.args[0])
    axis = as_axis(int(bound["dim"]), len(data.shape))
    name = operator_name(node).lstrip("_")
    walk.labels.pin(data.axes[axis], f"{name} over its channels would change with their number")
    axes = list(data.axes)
    axes[axis] = None
    return Layout(shape_of(node), tuple(axes), (False,) * len(axes))


@TABLE.rule("max", "min", "median", "nanmedian", "kthvalue", "mode")
def extreme(walk: Walk, node: fx.Node) -> Result:
    """Largest or smallest along an axis, with its place; over everything; or of two tensors."""
    bound = arguments(node)
    data = walk.layout(node.args[0])
    if "other" in bound:
        return pointwise(walk, node)
    if not isinstance(node.meta["val"], (list, tuple)):
        walk.pin_axes(data, range(len(data.shape)), f"{operator_name(node)} over its channels")
        return Layout.fixed(shape_of(node))
    axis = as_axis(int(bound["dim"]), len(data.shape))
    if operator_name(node) in ("max", "min") and not any(user.args[1] == 1 and user.users for user in node.users):
        _over(walk, node, data, axis, neutral=False, alone=True)
    else:
        walk.labels.pin(data.axes[axis], f"{operator_name(node)} tells places, which would change with their number")
    axes, zero = list(data.axes), list(data.zero)
    axes[axis], zero[axis] = None, True
    if not bound["keepdim"]:
        del axes[axis], zero[axis]
    shape = tuple(int(size) for size in node.meta["val"][0].shape)
    # The places are numbers of positions that stay; at a removed index they are any number.
    return Layout(shape, tuple(axes), tuple(zero)), Layout(shape, tuple(axes), (False,) * len(axes))


def _axes(dim: Any, rank: int) -> set[int]:
    if dim is None or dim == []:
        return set(range(rank))
    return {as_axis(int(axis), rank) for axis in (dim if isinstance(dim, (list, tuple)) else [dim])}
