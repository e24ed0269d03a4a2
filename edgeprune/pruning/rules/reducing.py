"""Reductions: a mean over labels would change with their number; a sum may run over what is zero."""

from __future__ import annotations

from typing import Any

from torch import fx

from edgeprune.pruning.labels import Layout
from edgeprune.pruning.walk import RuleTable, Walk, arguments, as_axis, operator_name, shape_of

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
        if not (neutral and data.zero[axis]):
            walk.labels.pin(data.axes[axis], f"{name} over its channels would change with their number")
        else:
            walk.mix(node, (node.args[0], axis))
    gives_zero = name in _ZERO_GIVES_ZERO
    axes, zero = [], []
    for axis in range(rank):
        if axis in over and not keepdim:
            continue
        axes.append(None if axis in over else data.axes[axis])
        zero.append(True if axis in over else data.zero[axis] and gives_zero)
    return Layout(shape_of(node), tuple(axes), tuple(zero))


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


def _axes(dim: Any, rank: int) -> set[int]:
    if dim is None or dim == []:
        return set(range(rank))
    return {as_axis(int(axis), rank) for axis in (dim if isinstance(dim, (list, tuple)) else [dim])}
