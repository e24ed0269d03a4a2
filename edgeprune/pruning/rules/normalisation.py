"""Normalisations: per channel they carry labels, across channels they keep them."""

from __future__ import annotations

from typing import Any

from torch import fx

from edgeprune.pruning.labels import Axis, Layout
from edgeprune.pruning.walk import RuleTable, Walk, arguments, shape_of

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
    axes[channel] = axis
    return Layout(shape_of(node), tuple(axes), tuple(zero))


@TABLE.rule("group_norm")
def group_norm(walk: Walk, node: fx.Node) -> Layout:
    """Statistics run over a group's channels, so that only whole groups can go."""
    bound = arguments(node)
    data = walk.layout(bound["input"])
    groups = int(bound["num_groups"])
    labels = data.axes[1]
    walk.pin_axes(data, range(2, len(data.shape)), "normalised over")
    axis = _with_parameters(walk, labels, [bound["weight"], bound["bias"]])
    if axis is not None:
        if groups == 1:
            walk.labels.pin(axis, "one normalisation group mixes all its channels")
        grid = axis.reshape(groups, -1)
        walk.labels.join(grid, grid[:, :1])
    zero = (False, bound["bias"] is not None or data.zero[1], *(True,) * (len(data.shape) - 2))
    return Layout(shape_of(node), (data.axes[0], axis, *(None,) * (len(data.shape) - 2)), zero)


@TABLE.rule("layer_norm", "rms_norm")
def across_features(walk: Walk, node: fx.Node) -> Layout:
    """The statistics run over the features: fewer of them are other statistics, so they stay."""
    bound = arguments(node)
    data = walk.layout(bound["input"])
    count = len(bound["normalized_shape"])
    lead = len(data.shape) - count
    walk.pin_axes(data, range(lead, len(data.shape)), "layer normalisation mixes its features")
    for name in ("weight", "bias"):
        parameter = walk.layout(bound.get(name))
        for axis in range(len(parameter.shape)):
            walk.role(bound[name], axis, "carrier")
            walk.labels.pin(parameter.axes[axis], "layer normalisation mixes its features")
    return Layout(shape_of(node), (*data.axes[:lead], *(None,) * count), (*(False,) * lead, *(True,) * count))


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
