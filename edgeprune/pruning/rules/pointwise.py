"""Elementwise operators: equal axes meet, a broadcast axis leaves the wide side free."""

from __future__ import annotations

from typing import Any

import torch
from torch import fx

from edgeprune.pruning.labels import Axis, Layout
from edgeprune.pruning.walk import RuleTable, Walk, arguments, operator_name, shape_of, with_axis

TABLE = RuleTable()

_SUMS = {"add", "sub", "rsub", "maximum", "minimum"}
_PRODUCTS = {"mul", "multiply", "logical_and", "bitwise_and"}
_QUOTIENTS = {"div", "divide", "true_divide"}


@TABLE.rule("where")
def where(walk: Walk, node: fx.Node) -> Layout:
    """Elementwise; the overloads with numbers are not tagged so."""
    return pointwise(walk, node)


@TABLE.rule("hardswish", "hardsigmoid", "mish", "hardshrink", "softshrink", "relu6", "selu", "elu", "celu")
def activation(walk: Walk, node: fx.Node) -> Layout:
    """Activations that torch does not tag as elementwise."""
    return pointwise(walk, node)


@TABLE.rule("dropout", "feature_dropout", "alpha_dropout", "feature_alpha_dropout")
def dropout(walk: Walk, node: fx.Node) -> Layout:
    """Nothing happens in evaluation; in training whatever is dropped is dropped elementwise or per channel."""
    return walk.layout(node.args[0])


@TABLE.rule("contiguous", "clone", "detach", "alias", "to", "_to_copy", "type_as", "lift_fresh_copy", "lift_fresh")
def same(walk: Walk, node: fx.Node) -> Layout:
    """The same elements elsewhere or in another type."""
    return walk.layout(node.args[0])


@TABLE.rule("_assert_tensor_metadata", "_assert_async", "_assert_scalar")
def assertion(walk: Walk, node: fx.Node) -> Layout:
    """Looks at types, not at elements."""
    return Layout((), (), ())


@TABLE.rule("zero", "fill")
def fill(walk: Walk, node: fx.Node) -> Layout:
    """One number everywhere, in place."""
    data = walk.layout(node.args[0])
    return Layout(data.shape, data.axes, (operator_name(node) == "zero",) * len(data.shape))


@TABLE.rule("new_zeros", "new_ones", "new_full", "new_empty")
def new(walk: Walk, node: fx.Node) -> Layout:
    """Made of another tensor's type but to its own measure."""
    return Layout.fixed(shape_of(node))


@TABLE.rule("zeros_like", "ones_like", "full_like", "empty_like", "rand_like", "randn_like")
def like(walk: Walk, node: fx.Node) -> Layout:
    """Made to another tensor's measure, so it shrinks with it."""
    data = walk.layout(node.args[0])
    return Layout(data.shape, data.axes, (operator_name(node) == "zeros_like",) * len(data.shape))


def is_pointwise(node: fx.Node) -> bool:
    """Tell whether torch tags the operator as elementwise."""
    return isinstance(node.target, torch._ops.OpOverload) and torch.Tag.pointwise in node.target.tags


def pointwise(walk: Walk, node: fx.Node) -> Layout:
    """Return the layout of any elementwise operator, broadcasting included."""
    operands = [value for value in arguments(node).values() if isinstance(value, fx.Node)]
    operands = [value for value in operands if isinstance(value.meta.get("val"), torch.Tensor)]
    shape = shape_of(node)
    axes: list[Axis] = []
    zero: list[bool] = []
    keeps_zero = _maps_zero_to_zero(node, operands)
    for place in range(len(shape)):
        axis, flags, covered = _meet(walk, operands, place, shape)
        axes.append(axis)
        zero.append(_zero(operator_name(node), flags, covered, len(operands), keeps_zero))
    return Layout(shape, tuple(axes), tuple(zero), _alike(walk, node, axes, zero))


def _alike(walk: Walk, node: fx.Node, axes: list[Axis], zero: list[bool]) -> frozenset[int]:
    """Return the axes whose removed indices hold the same: worked out from zeros and from what has no such axis."""
    assert isinstance(node.target, torch._ops.OpOverload)
    if {torch.Tag.inplace, torch.Tag.nondeterministic_seeded} & set(node.target.tags):
        return frozenset()
    open_axes = [axis for axis, labels in enumerate(axes) if labels is not None and not zero[axis]]
    return frozenset(axis for axis in open_axes if all(_same(walk, *found) for found in with_axis(node, axis)))


def _same(walk: Walk, node: fx.Node, axis: int) -> bool:
    layout = walk.layout(node)
    return layout.zero[axis] or axis in layout.alike


def _meet(walk: Walk, operands: list[fx.Node], place: int, shape: tuple[int, ...]) -> tuple[Axis, list[bool], int]:
    """Join one axis of all operands; return it, the zero flags by operand, and how many operands have it in full."""
    wide: list[Axis] = []
    flags: list[bool] = []
    covered = 0
    for node in operands:
        layout = walk.layout(node)
        own = place - (len(shape) - len(layout.shape))
        if own < 0 or layout.shape[own] != shape[place]:
            if own >= 0:
                walk.labels.pin(layout.axes[own], "broadcast")
            flags.append(False)
            continue
        covered += 1
        walk.role(node, own, "carrier")
        wide.append(layout.axes[own])
        flags.append(layout.zero[own])
    return walk.unify(wide, "meets a tensor that must stay"), flags, covered


def _zero(name: str, flags: list[bool], covered: int, operands: int, keeps_zero: bool) -> bool:
    """Tell whether a removed index of the result is zero in the masked network."""
    if name in _PRODUCTS:
        return any(flags)
    if name in _QUOTIENTS:
        # 0 / 0 would be no number: the divisor must not be one that is masked.
        return flags[0] and not any(flags[1:])
    if name in _SUMS:
        return all(flags) and covered == operands and keeps_zero
    return operands == 1 and flags[0] and keeps_zero


def _maps_zero_to_zero(node: fx.Node, operands: list[fx.Node]) -> bool:
    """Try the operator itself on zeros."""

    def sample(value: Any) -> Any:
        return torch.zeros(1, dtype=value.meta["val"].dtype) if value in operands else value

    try:
        result = node.target(*fx.node.map_arg(node.args, sample), **fx.node.map_arg(node.kwargs, sample))  # type: ignore[operator]
    except (RuntimeError, TypeError, IndexError, KeyError):
        return False
    return isinstance(result, torch.Tensor) and bool((result == 0).all())
