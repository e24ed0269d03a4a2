"""Normalisations: per channel they carry labels, across channels they keep them."""

from __future__ import annotations

from typing import Any

from torch import fx

from edgeprune.pruning.labels import Axis, Layout
from edgeprune.pruning.walk import Result, RuleTable, Walk, arguments, as_axis, operator_name, shape_of

TABLE = RuleTable()


@TABLE.rule("batch_norm", "instance_norm")
def per_channel(walk: Walk, node: fx.Node) -> Layout:
    """Scale, shift and statistics all belong to one channel."""
    bound = arguments(node)
    data = walk.layout(bound["input"])
    channel = 1 if len(data.shape) > 1 else 0
    names = ("weight", "bias", "running_mean", "running_var")
    axis = _with_parameters(walk, data.axes[channel], [bound[name] for name in names])
    centred = bool(bound.get("use_input_stats") or bound.get("training"))
    zero = list(data.zero)
    zero[channel] = bound["bias"] is not None or (centred and data.zero[channel])
    axes = list(data.axes)
    if centred:
        # Statistics of the data itself: over all positions, and in a batch normalisation over the samples too.
        over = range(channel + 1, len(axes)) if operator_name(node) == "instance_norm" else range(len(axes))
        for place in over:
            if place != channel:
                axes[place], zero[place] = _sampled(walk, node, data, place), False
    axes[channel] = axis
    return Layout(shape_of(node), tuple(axes), tuple(zero))


def _sampled(walk: Walk, node: fx.Node, data: Layout, axis: int) -> Axis:
    """An axis statistics run over: entries that are zero go on counting."""
    labels = data.axes[axis]
    if labels is not None and data.zero[axis]:
        walk.fill(node, [("input", axis)], axis)
        return labels
    walk.labels.pin(labels, "normalised over")
    return None


@TABLE.rule("group_norm")
def group_norm(walk: Walk, node: fx.Node) -> Layout:
    """Statistics run over a group's channels, so that only whole groups can go.

    A single group keeps its statistics if its removed channels are zero and go on counting.
    """
    bound = arguments(node)
    data = walk.layout(bound["input"])
    groups = int(bound["num_groups"])
    labels = data.axes[1]
    walk.pin_axes(data, range(2, len(data.shape)), "normalised over")
    axis = _with_parameters(walk, labels, [bound["weight"], bound["bias"]])
    if axis is not None and groups > 1:
        grid = axis.reshape(groups, -1)
        walk.labels.join(grid, grid[:, :1])
    elif axis is not None and data.zero[1]:
        walk.fill(node, [("input", 1), *((name, 0) for name in ("weight", "bias") if bound[name] is not None)], 1)
    elif axis is not None:
        walk.labels.pin(axis, "one normalisation group mixes channels that are not zero when masked")
        axis = None
    zero = (False, bound["bias"] is not None or (groups > 1 and data.zero[1]), *(True,) * (len(data.shape) - 2))
    return Layout(shape_of(node), (data.axes[0], axis, *(None,) * (len(data.shape) - 2)), zero)


@TABLE.rule("layer_norm", "rms_norm")
def across_features(walk: Walk, node: fx.Node) -> Layout:
    """Statistics run over the features: removed ones are zero and go on counting, or they stay."""
    bound = arguments(node)
    data = walk.layout(bound["input"])
    lead = len(data.shape) - len(bound["normalized_shape"])
    names = [name for name in ("weight", "bias") if bound.get(name) is not None]
    axes, zero = list(data.axes), [False] * lead
    for axis in range(lead, len(axes)):
        axes[axis] = _feature(walk, node, data, names, axis, lead)
        # Scale and shift are masked along; the mean taken off makes a feature without a scale no zero.
        scaled = walk.layout(bound.get("weight")).zero
        zero.append(scaled[axis - lead] if scaled else operator_name(node) == "rms_norm" and data.zero[axis])
    return Layout(shape_of(node), tuple(axes), tuple(zero))


def _feature(walk: Walk, node: fx.Node, data: Layout, names: list[str], axis: int, lead: int) -> Axis:
    """Join one normalised axis with scale and shift."""
    bound = arguments(node)
    for name in names:
        walk.role(bound[name], axis - lead, "carrier")
    vectors = [walk.layout(bound[name]).axes[axis - lead] for name in names]
    labels = walk.unify([data.axes[axis], *vectors], "normalises features that must stay")
    if labels is None:
        return None
    if not data.zero[axis]:
        walk.labels.pin(labels, "the normalisation mixes features that are not zero when masked")
        return None
    walk.fill(node, [("input", axis), *((name, axis - lead) for name in names)], axis)
    return labels


@TABLE.rule("_weight_norm", "_weight_norm_interface")
def weight_norm(walk: Walk, node: fx.Node) -> Result:
    """A direction divided by its length: what is masked as a whole would be 0 / 0, so only other axes may go."""
    bound = arguments(node)
    data, scale = walk.layout(bound["v"]), walk.layout(bound["g"])
    kept = as_axis(int(bound["dim"]), len(data.shape))
    walk.labels.pin(data.axes[kept], "weight normalisation divides by the length of what would be masked")
    walk.pin_axes(scale, range(len(scale.shape)), "weight normalisation divides by the length of what would be masked")
    for axis in range(len(data.shape)):
        if axis != kept:
            walk.role(bound["v"], axis, "consumer")
    axes = tuple(None if axis == kept else labels for axis, labels in enumerate(data.axes))
    result = Layout(data.shape, axes, data.zero)
    lengths = node.meta["val"]
    return (result, Layout.fixed(tuple(lengths[1].shape))) if isinstance(lengths, (list, tuple)) else result


@TABLE.rule("prelu", "_prelu_kernel")
def prelu(walk: Walk, node: fx.Node) -> Layout:
    """One slope per channel, or one for all."""
    bound = arguments(node)
    data, weight = walk.layout(bound["self"]), walk.layout(bound["weight"])
    walk.role(bound["weight"], 0, "carrier")
    if weight.shape == (1,) or len(data.shape) < 2 or len(weight.shape) != 1:
        walk.pin_axes(weight, range(len(weight.shape)), "one slope for all channels")
        return Layout(shape_of(node), data.axes, data.zero)
    axes = list(data.axes)
    axes[1] = walk.unify([data.axes[1], weight.axes[0]], "its slope must stay")
    return Layout(shape_of(node), tuple(axes), data.zero)


def _with_parameters(walk: Walk, axis: Axis, parameters: list[Any]) -> Axis:
    axes = [axis]
    for parameter in parameters:
        if parameter is not None:
            walk.role(parameter, 0, "carrier")
            axes.append(walk.layout(parameter).axes[0])
    return walk.unify(axes, "normalises channels that must stay")
