"""Matrix products: with a weight, and between activations."""

from __future__ import annotations

from typing import Any

from torch import fx

from edgeprune.pruning.labels import Axis, Layout
from edgeprune.pruning.walk import Reader, RuleTable, Walk, arguments, elements, shape_of

TABLE = RuleTable()

_READS = "reads features that must stay"


@TABLE.rule("linear")
def linear(walk: Walk, node: fx.Node) -> Layout:
    """``y = x W^T + b``: the last axis meets the weight's second, the result has its first."""
    bound = arguments(node)
    data, weight = walk.layout(bound["input"]), walk.layout(bound["weight"])
    last = len(data.shape) - 1
    if not (data.zero[last] or weight.zero[1]):
        walk.labels.pin(data.axes[last], "read by computed weights while its removed entries are not zero")
    walk.unify([data.axes[last], weight.axes[1]], _READS)
    outputs = weight.axes[0]
    walk.role(bound["weight"], 0, "producer")
    walk.role(bound["weight"], 1, "consumer")
    if bound["bias"] is not None:
        walk.role(bound["bias"], 0, "carrier")
        outputs = walk.unify([outputs, walk.layout(bound["bias"]).axes[0]], "its bias must stay")
    name = walk.parameter(bound["weight"])
    if name is not None:
        walk.readers.append(Reader(node.name, bound["input"].name, last, name, 1, 1))
    else:
        walk.mix(node, (bound["input"], last), (bound["weight"], 1))
    _cost(walk, node, data.axes[:last], data.shape[:last], (weight.axes[0], weight.axes[1]), weight.shape)
    zero = tuple(flag and bound["bias"] is None for flag in data.zero[:last])
    return Layout(shape_of(node), (*data.axes[:last], outputs), (*zero, True))


@TABLE.rule("bilinear")
def bilinear(walk: Walk, node: fx.Node) -> Layout:
    """``y_o = x^T W_o z + b_o``: the last axes of both meet the weight's second and third."""
    bound = arguments(node)
    weight, last = walk.layout(bound["weight"]), len(shape_of(node)) - 1
    lead: list[Axis] = [None] * last
    for axis, name in ((1, "input1"), (2, "input2")):
        data = walk.layout(bound[name])
        walk.unify([data.axes[last], weight.axes[axis]], _READS)
        walk.role(bound["weight"], axis, "consumer")
        walk.mix(node, (bound[name], last), (bound["weight"], axis))
        walk.pin_axes(data, range(last), "read by a bilinear layer")
    walk.role(bound["weight"], 0, "producer")
    outputs = weight.axes[0]
    if bound["bias"] is not None:
        walk.role(bound["bias"], 0, "carrier")
        outputs = walk.unify([outputs, walk.layout(bound["bias"]).axes[0]], "its bias must stay")
    fixed = [size for labels, size in zip(weight.axes, weight.shape, strict=True) if labels is None]
    walk.cost(node, elements(shape_of(node)[:last]) * elements(fixed), *weight.axes)
    return Layout(shape_of(node), (*lead, outputs), (*(False,) * last, True))


def _cost(
    walk: Walk,
    node: fx.Node,
    axes: tuple[Axis, ...],
    sizes: tuple[int, ...],
    more: tuple[Axis, ...],
    more_sizes: tuple[int, ...],
) -> None:
    fixed = [size for axis, size in zip((*axes, *more), (*sizes, *more_sizes), strict=True) if axis is None]
    walk.cost(node, elements(fixed), *axes, *more)


@TABLE.rule("matmul", "mm", "bmm", "mv", "dot", "vdot")
def matmul(walk: Walk, node: fx.Node) -> Layout:
    """Contract the last axis of the first with the last but one of the second; leading axes broadcast."""
    bound = arguments(node)
    left, right = (bound[name] for name in list(bound)[:2])
    return product(walk, node, left, right)


@TABLE.rule("addmm", "baddbmm")
def addmm(walk: Walk, node: fx.Node) -> Layout:
    """``input + a @ b``."""
    bound = arguments(node)
    left, right = (bound[name] for name in list(bound)[1:3])
    result = product(walk, node, left, right)
    added = walk.layout(bound["self"])
    axes = list(result.axes)
    zero = list(result.zero)
    offset = len(axes) - len(added.axes)
    for axis in range(len(axes)):
        own = axis - offset
        if own < 0 or added.shape[own] != result.shape[axis]:
            zero[axis] = False
            if own >= 0:
                walk.labels.pin(added.axes[own], "broadcast")
            continue
        walk.role(bound["self"], own, "carrier")
        axes[axis] = walk.unify([axes[axis], added.axes[own]], "added to what must stay")
        zero[axis] = zero[axis] and added.zero[own]
    return Layout(result.shape, tuple(axes), tuple(zero))


def product(walk: Walk, node: fx.Node, left_node: Any, right_node: Any) -> Layout:
    """Return the layout of a (batched) matrix product and record its cost, roles and preferences."""
    left, right = _matrix(walk.layout(left_node), -1), _matrix(walk.layout(right_node), -2)
    shared = walk.unify([left.axes[-1], right.axes[-2]], "multiplied with what must stay")
    if shared is not None and not (left.zero[-1] or right.zero[-2]):
        walk.labels.pin(shared, "summed over while its removed entries are not zero")
    rank_left, rank_right = len(walk.layout(left_node).shape), len(walk.layout(right_node).shape)
    walk.mix(node, (left_node, rank_left - 1), (right_node, max(rank_right - 2, 0)))
    _roles(walk, left_node, right_node)
    batch, zero = _batch(walk, left, right)
    axes: tuple[Axis, ...] = (*batch, left.axes[-2], right.axes[-1])
    rank = len(axes)
    shape = tuple(max(a, b) for a, b in zip(_pad(left.shape, rank)[:-2], _pad(right.shape, rank)[:-2], strict=True))
    full = (*shape, left.shape[-2], right.shape[-1])
    contracted = left.axes[-1] if shared is not None else None
    _cost(walk, node, axes, full, (contracted,), (left.shape[-1],))
    flags = [*zero, left.zero[-2], right.zero[-1]]
    keep = [True] * rank
    keep[-2] = len(walk.layout(left_node).shape) > 1
    keep[-1] = len(walk.layout(right_node).shape) > 1
    return Layout(
        shape_of(node),
        tuple(axis for axis, kept in zip(axes, keep, strict=True) if kept),
        tuple(flag for flag, kept in zip(flags, keep, strict=True) if kept),
    )


def _matrix(layout: Layout, axis: int) -> Layout:
    """Give a vector its missing axis: a row on the left (axis -1), a column on the right (axis -2)."""
    if len(layout.shape) > 1:
        return layout
    if axis == -1:
        return Layout((1, *layout.shape), (None, *layout.axes), (True, *layout.zero))
    return Layout((*layout.shape, 1), (*layout.axes, None), (*layout.zero, True))


def _pad(shape: tuple[int, ...], rank: int) -> tuple[int, ...]:
    return (1,) * (rank - len(shape)) + shape


def _batch(walk: Walk, left: Layout, right: Layout) -> tuple[list[Axis], list[bool]]:
    """Join leading axes. Attention heads are such an axis: prefer removing along it to cutting through it."""
    rank = max(len(left.shape), len(right.shape)) - 2
    axes: list[Axis] = []
    zero: list[bool] = []
    for place in range(rank):
        entries = []
        for layout in (left, right):
            own = place - (rank - (len(layout.shape) - 2))
            if own >= 0:
                entries.append((layout.shape[own], layout.axes[own], layout.zero[own]))
        size = max(entry[0] for entry in entries)
        wide = [entry for entry in entries if entry[0] == size]
        for entry in entries:
            if entry[0] != size:
                walk.labels.pin(entry[1], "broadcast")
        axis = walk.unify([entry[1] for entry in wide], "multiplied with what must stay")
        if axis is not None:
            walk.preferred.append(axis)
        axes.append(axis)
        zero.append(any(entry[2] for entry in wide))
    return axes, zero


def _roles(walk: Walk, left: Any, right: Any) -> None:
    rank_left, rank_right = len(walk.layout(left).shape), len(walk.layout(right).shape)
    walk.role(left, rank_left - 1, "consumer")
    walk.role(right, max(rank_right - 2, 0), "consumer")
    if rank_left > 1:
        walk.role(left, rank_left - 2, "producer")
    if rank_right > 1:
        walk.role(right, rank_right - 1, "producer")
