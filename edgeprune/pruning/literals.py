"""Sizes written into a network's code: which ones change with a plan, and to what."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import fx, nn

from edgeprune.pruning.coupling import Coupling
from edgeprune.pruning.labels import Flags
from edgeprune.pruning.trace import module_name
from edgeprune.pruning.walk import arguments, as_axis, operator_name, shape_of

Edit = dict[str, Any]
"""New values of an operator's arguments by name."""


@dataclass(frozen=True)
class Sizes:
    """Axis lengths before and after a plan."""

    coupling: Coupling
    alive: Flags

    @staticmethod
    def of(coupling: Coupling, keep: Flags) -> Sizes:
        """Return the sizes when the sets marked in ``keep`` stay."""
        return Sizes(coupling, np.concatenate([keep, [True]]))

    def after(self, node: fx.Node, axis: int, part: int = 0) -> int:
        """Return the length of an axis of a node's tensor (or of its ``part``-th)."""
        layouts = self.coupling.layouts.get(node.name)
        sets = layouts[part][axis] if layouts else None
        if sets is not None:
            return int(self.alive[sets].sum())
        value = node.meta["val"]
        return int(value[part].shape[axis]) if isinstance(value, (list, tuple)) else shape_of(node)[axis]

    def before_place(self, node: fx.Node, axis: int, place: int) -> int:
        """Return how many indices before ``place`` live."""
        layouts = self.coupling.layouts.get(node.name)
        sets = layouts[0][axis] if layouts else None
        return place if sets is None else int(self.alive[sets[:place]].sum())


def edits(sizes: Sizes) -> dict[str, Edit]:
    """Return, by node name, the arguments that must change."""
    found: dict[str, Edit] = {}
    for node in sizes.coupling.trace.graph.nodes:
        rule = _RULES.get(operator_name(node)) if node.op == "call_function" else None
        if rule is not None:
            bound = arguments(node)
            new = rule(sizes, node, bound)
            changed = {key: value for key, value in new.items() if value != bound[key]}
            if changed:
                found[node.name] = changed
    return found


def attribute_edits(sizes: Sizes, model: nn.Module) -> list[tuple[nn.Module, str, Any]]:
    """Guess which attributes of ``model``'s modules, integers and lists of them, gave the sizes that must change.

    An attribute is taken when its module ran an operator with that very size (or list of sizes). Whether the guess is
    right, a comparison with the masked network must tell.
    """
    nodes = {node.name: node for node in sizes.coupling.trace.graph.nodes}
    numbers: dict[str, dict[int, int]] = {}
    lists: dict[str, dict[tuple[Any, ...], list[Any]]] = {}
    for name, edit in edits(sizes).items():
        path, bound = module_name(nodes[name]), arguments(nodes[name])
        for key, value in edit.items():
            numbers.setdefault(path, {}).update(_pairs(bound[key], value))
            if isinstance(value, list):
                lists.setdefault(path, {})[tuple(bound[key])] = value
    found: list[tuple[nn.Module, str, Any]] = []
    for path, pairs in numbers.items():
        module = model.get_submodule(path)
        for name, value in vars(module).items():
            if type(value) is int and value in pairs:
                found.append((module, name, pairs[value]))
            elif isinstance(value, (list, tuple)) and tuple(value) in lists.get(path, {}):
                found.append((module, name, type(value)(lists[path][tuple(value)])))
    return found


def _pairs(before: Any, after: Any) -> list[tuple[int, int]]:
    left, right = (value if isinstance(value, (list, tuple)) else [value] for value in (before, after))
    pairs = zip(left, right, strict=False)
    return [(a, b) for a, b in pairs if type(a) is int and type(b) is int and a != b and a > 0]


def _shape(sizes: Sizes, node: fx.Node, bound: dict[str, Any]) -> Edit:
    """View and expand: the new length of every axis that is written as a number."""
    key = "shape" if "shape" in bound else "size"
    return {key: [size if size == -1 else sizes.after(node, axis) for axis, size in enumerate(bound[key])]}


def _unflatten(sizes: Sizes, node: fx.Node, bound: dict[str, Any]) -> Edit:
    start = as_axis(int(bound["dim"]), len(shape_of(node.args[0])))  # type: ignore[arg-type]
    written = enumerate(bound["sizes"])
    new = [sizes.after(node, start + place) if type(size) is int and size != -1 else size for place, size in written]
    return {"sizes": new}


def _split(sizes: Sizes, node: fx.Node, bound: dict[str, Any]) -> Edit:
    axis = as_axis(int(bound["dim"]), len(node.meta["val"][0].shape))
    new = [sizes.after(node, axis, part) for part in range(len(node.meta["val"]))]
    if "split_sizes" in bound:
        return {"split_sizes": new}
    return {"split_size": max(new)}


def _slice(sizes: Sizes, node: fx.Node, bound: dict[str, Any]) -> Edit:
    source = node.args[0]
    assert isinstance(source, fx.Node)
    shape = shape_of(source)
    axis = as_axis(int(bound["dim"] or 0), len(shape))
    new: Edit = {}
    for key in ("start", "end"):
        place = bound.get(key)
        if type(place) is int and abs(place) <= shape[axis]:
            # A negative place counts from the end, and so does its new value.
            moved = sizes.before_place(source, axis, place if place >= 0 else place + shape[axis])
            new[key] = moved if place >= 0 else moved - sizes.after(source, axis)
    return new


def _narrow(sizes: Sizes, node: fx.Node, bound: dict[str, Any]) -> Edit:
    source = node.args[0]
    assert isinstance(source, fx.Node)
    axis = as_axis(int(bound["dim"]), len(shape_of(source)))
    return {"start": sizes.before_place(source, axis, bound["start"]), "length": sizes.after(node, axis)}


def _repeat(sizes: Sizes, node: fx.Node, bound: dict[str, Any]) -> Edit:
    """An axis of size one that is repeated: as often as the result is long."""
    key = "repeats" if "repeats" in bound else "dims"
    shape, source = shape_of(node), shape_of(node.args[0])  # type: ignore[arg-type]
    new = list(bound[key])
    for axis, times in enumerate(new):
        own = axis - (len(shape) - len(source))
        if type(times) is int and times > 1 and (own < 0 or source[own] == 1):
            new[axis] = sizes.after(node, axis)
    return {key: new}


def _pad(sizes: Sizes, node: fx.Node, bound: dict[str, Any]) -> Edit:
    amounts = list(bound["pad"])
    shape = shape_of(node)
    for place in range(len(amounts) // 2):
        axis = len(shape) - 1 - place
        before, after = amounts[2 * place : 2 * place + 2]
        if (type(before), type(after)) == (int, int) and min(before, after) >= 0:
            inner = sizes.before_place(node, axis, shape[axis] - after)
            amounts[2 * place : 2 * place + 2] = [
                sizes.before_place(node, axis, before),
                sizes.after(node, axis) - inner,
            ]
    return {"pad": amounts}


def _attention_scale(sizes: Sizes, node: fx.Node, bound: dict[str, Any]) -> Edit:
    """Keep the scale that torch works out from the width of a head, where that width changes."""
    query = bound["query"]
    width = shape_of(query)[-1]
    if bound["scale"] is not None or sizes.after(query, len(shape_of(query)) - 1) == width:
        return {}
    return {"scale": width**-0.5}


def _norm_groups(sizes: Sizes, node: fx.Node, bound: dict[str, Any]) -> Edit:
    return {"num_groups": _groups(sizes, bound["input"], 1, bound["num_groups"])}


def _conv_groups(sizes: Sizes, node: fx.Node, bound: dict[str, Any]) -> Edit:
    axis = len(shape_of(bound["input"])) - len(shape_of(bound["weight"])) + 1
    return {"groups": _groups(sizes, bound["input"], axis, bound["groups"])}


def _groups(sizes: Sizes, node: fx.Node, axis: int, groups: int) -> int:
    """Return how many of the groups of an axis have anything left."""
    layouts = sizes.coupling.layouts.get(node.name)
    sets = layouts[0][axis] if layouts else None
    if sets is None or groups == 1:
        return groups
    return int(sizes.alive[sets].reshape(groups, -1).any(axis=1).sum())


_CONVOLUTIONS = [f"conv{kind}{count}d" for kind in ("", "_transpose") for count in (1, 2, 3)]
_RULES: dict[str, Callable[[Sizes, fx.Node, dict[str, Any]], Edit]] = {
    **dict.fromkeys(("view", "reshape", "_unsafe_view", "expand"), _shape),
    **dict.fromkeys(("split", "split_with_sizes"), _split),
    **dict.fromkeys(_CONVOLUTIONS, _conv_groups),
    **dict.fromkeys(("repeat", "tile"), _repeat),
    **dict.fromkeys(("pad", "constant_pad_nd"), _pad),
    "unflatten": _unflatten,
    "slice": _slice,
    "narrow": _narrow,
    "group_norm": _norm_groups,
    "scaled_dot_product_attention": _attention_scale,
}
