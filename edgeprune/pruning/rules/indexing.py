"""Lookups by tensors of indices."""

from __future__ import annotations

from torch import fx

from edgeprune.pruning.labels import Layout
from edgeprune.pruning.walk import RuleTable, Walk, arguments, as_axis, shape_of

TABLE = RuleTable()


@TABLE.rule("embedding")
def embedding(walk: Walk, node: fx.Node) -> Layout:
    """Rows by number: the rows stay, the features are free."""
    bound = arguments(node)
    weight = walk.layout(bound["weight"])
    walk.labels.pin(weight.axes[0], "rows are looked up by number")
    walk.role(bound["weight"], 1, "producer")
    lead = len(walk.layout(bound["indices"]).shape)
    return Layout(shape_of(node), (*(None,) * lead, weight.axes[1]), (*(False,) * lead, True))


@TABLE.rule("index")
def index(walk: Walk, node: fx.Node) -> Layout:
    """Indexing with tensors: indexed axes stay, the others are carried if the indexed ones lie together."""
    bound = arguments(node)
    data = walk.layout(bound["self"])
    places = [place for place, value in enumerate(bound["indices"]) if value is not None]
    rank = len(data.shape)
    together = places == list(range(places[0], places[-1] + 1))
    boolean = any("bool" in str(bound["indices"][place].meta["val"].dtype) for place in places)
    if not together or boolean:
        walk.pin_axes(data, range(rank), "indexed by tensors")
        return Layout.fixed(shape_of(node))
    walk.pin_axes(data, places, "indexed by a tensor")
    shape = shape_of(node)
    before, after = places[0], rank - places[-1] - 1
    made = len(shape) - before - after
    for axis in (*range(before), *range(places[-1] + 1, rank)):
        walk.role(bound["self"], axis, "carrier")
    axes = (*data.axes[:before], *(None,) * made, *data.axes[rank - after :])
    zero = (*data.zero[:before], *(True,) * made, *data.zero[rank - after :])
    return Layout(shape, axes, zero)


@TABLE.rule("index_select")
def index_select(walk: Walk, node: fx.Node) -> Layout:
    """Indices of one axis by number: that axis stays."""
    data = walk.layout(node.args[0])
    place = as_axis(int(arguments(node)["dim"]), len(data.shape))
    walk.labels.pin(data.axes[place], "indexed by a tensor")
    axes = list(data.axes)
    axes[place] = None
    return Layout(shape_of(node), tuple(axes), data.zero)


@TABLE.rule("gather", "take_along_dim")
def gather(walk: Walk, node: fx.Node) -> Layout:
    """One place per element along an axis, which stays; along the others, data and places go together."""
    bound = arguments(node)
    places = bound["index"] if "index" in bound else bound["indices"]
    data, wanted = walk.layout(bound["self"]), walk.layout(places)
    if bound["dim"] is None or len(data.shape) != len(wanted.shape):
        walk.pin_axes(data, range(len(data.shape)), "indexed by a tensor")
        return Layout.fixed(shape_of(node))
    along = as_axis(int(bound["dim"]), len(data.shape))
    axes, zero = list(data.axes), list(data.zero)
    for axis in range(len(axes)):
        if axis == along or data.shape[axis] != wanted.shape[axis]:
            walk.labels.pin(data.axes[axis], "indexed by a tensor")
            axes[axis], zero[axis] = wanted.axes[axis], False
        else:
            axes[axis] = walk.unify([data.axes[axis], wanted.axes[axis]], "indexed by places that must stay")
    return Layout(shape_of(node), tuple(axes), tuple(zero))
