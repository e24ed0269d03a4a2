"""Reductions: a sum may run over what is zero, a mean must go on counting it."""

from __future__ import annotations

from typing import Any

from torch import fx

from edgeprune.pruning.labels import Layout
from edgeprune.pruning.rules.pointwise import pointwise
from edgeprune.pruning.walk import Result, RuleTable, Walk, arguments, as_axis, operator_name, shape_of

TABLE = RuleTable()

_ZERO_IS_NEUTRAL = {"sum", "linalg_vector_norm", "norm", "count_nonzero"}
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
        _over(walk, node, data, axis, neutral)
    gives_zero = name in _ZERO_GIVES_ZERO
    axes, zero = [], []
    for axis in range(rank):
        if axis in over and not keepdim:
            continue
        axes.append(None if axis in over else data.axes[axis])
        zero.append(True if axis in over else data.zero[axis] and gives_zero)
    return Layout(shape_of(node), tuple(axes), tuple(zero))


def _over(walk: Walk, node: fx.Node, data: Layout, axis: int, neutral: bool) -> None:
    """Reduce over one axis: zeros make no difference, or go on counting, or the axis stays."""
    if data.axes[axis] is None:
        return
    if not data.zero[axis]:
        walk.labels.pin(data.axes[axis], f"{operator_name(node)} over channels that are not zero when masked")
    elif neutral:
        walk.mix(node, (node.args[0], axis))
    else:
        walk.fill(node, [("self", axis)], None)


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
        _over(walk, node, data, axis, neutral=False)
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
