"""Convolutions: plain, grouped, depthwise and transposed, in one to three dimensions."""

from __future__ import annotations

from torch import fx

from edgeprune.pruning.labels import Axis, Layout
from edgeprune.pruning.walk import Product, Reader, RuleTable, Walk, arguments, elements, shape_of

TABLE = RuleTable()

_READS_INPUT = "reads channels that must stay"


@TABLE.rule("conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "convolution")
def convolution(walk: Walk, node: fx.Node) -> Layout:
    """Input channels meet the weight's input axis, output channels are its output axis; groups couple both."""
    bound = arguments(node)
    data, weight = walk.layout(bound["input"]), walk.layout(bound["weight"])
    transposed = bool(bound.get("transposed")) or "transpose" in str(node.target)
    groups = int(bound["groups"])
    spatial = len(weight.shape) - 2
    channel = len(data.shape) - spatial - 1
    shape = shape_of(node)
    walk.pin_axes(data, [axis for axis in range(len(data.shape)) if axis > channel], "convolved over")
    walk.pin_axes(weight, range(2, spatial + 2), "kernel positions")

    if not (data.zero[channel] or weight.zero[0 if transposed else 1]):
        walk.labels.pin(data.axes[channel], "read by computed weights while its removed entries are not zero")
    outputs = _couple(walk, data.axes[channel], weight, groups, transposed, shape[channel])
    outputs = _with_bias(walk, bound["bias"], outputs)
    _record(walk, node, bound, channel, weight, groups, transposed)

    axes = (*data.axes[:channel], outputs, *(None,) * spatial)
    zero = (*(False,) * channel, True, *(True,) * spatial)
    return Layout(shape, axes, zero)


def _couple(walk: Walk, data: Axis, weight: Layout, groups: int, transposed: bool, channels_out: int) -> Axis:
    """Join labels and return those of the output channels."""
    first, second = weight.axes[0], weight.axes[1]
    if groups == 1:
        read, made = (first, second) if transposed else (second, first)
        walk.unify([data, read], _READS_INPUT)
        return made
    if transposed:
        inputs = walk.unify([data, first], _READS_INPUT)
        made = walk.labels.fresh(channels_out)
        group = _grouped(walk, inputs, weight.shape[0], groups, None)
        _grouped(walk, made, channels_out, groups, second, group, shared=True)
        return made
    group = _grouped(walk, data, weight.shape[1] * groups, groups, second)
    _grouped(walk, first, weight.shape[0], groups, None, group, shared=True)
    return first


def _grouped(
    walk: Walk, flat: Axis, size: int, groups: int, inner: Axis, group: Axis = None, *, shared: bool = False
) -> Axis:
    """Couple channels to (group, position): either whole groups go, or the same position in every group.

    ``group`` are the labels of the groups when ``shared``; otherwise they are made here and returned.
    """
    each = size // groups
    if flat is None:
        walk.labels.pin(inner, _READS_INPUT)
        if shared:
            walk.labels.pin(group, _READS_INPUT)
        return None
    if each == 1:
        walk.labels.pin(inner, "one channel per group")
        if shared:
            return walk.unify([group, flat], _READS_INPUT)
        return flat
    if not shared:
        group = walk.labels.fresh(groups)
        walk.grouped.append(group)
    position = walk.labels.fresh(each) if inner is None else inner
    walk.products.append(Product(flat, (groups, each), (group, position)))
    return group


def _with_bias(walk: Walk, bias: fx.Node | None, outputs: Axis) -> Axis:
    if bias is None:
        return outputs
    walk.role(bias, 0, "carrier")
    return walk.unify([outputs, walk.layout(bias).axes[0]], "its bias must stay")


def _record(
    walk: Walk,
    node: fx.Node,
    bound: dict[str, fx.Node],
    channel: int,
    weight: Layout,
    groups: int,
    transposed: bool,
) -> None:
    """Note the weight's roles, who reads which channels, and the multiply-accumulates."""
    read_axis, made_axis = (0, 1) if transposed else (1, 0)
    depthwise = groups > 1 and weight.shape[1] == 1 and not transposed
    walk.role(bound["weight"], made_axis, "carrier" if depthwise else "producer")
    walk.role(bound["weight"], read_axis, "consumer")
    name = walk.parameter(bound["weight"])
    if name is not None:
        walk.readers.append(Reader(node.name, bound["input"].name, channel, name, read_axis, groups))
    elif groups == 1:
        walk.mix(node, (bound["input"], channel), (bound["weight"], read_axis))
    else:
        walk.mix(node, (bound["input"], channel))
    moved = walk.layout(bound["input"]).shape if transposed else shape_of(node)
    per_weight = elements(moved) // moved[channel] * elements(weight.shape[2:])
    fixed = 1
    for axis in (0, 1):
        if weight.axes[axis] is None:
            fixed *= weight.shape[axis]
    walk.cost(node, per_weight * fixed, weight.axes[0], weight.axes[1])
