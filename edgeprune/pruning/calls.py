"""The operator calls of a traced network with a plan's sizes written in."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx

from edgeprune.pruning.coupling import Coupling
from edgeprune.pruning.literals import Edit, Sizes, edits
from edgeprune.pruning.make_plan import removed_sets
from edgeprune.pruning.plan import Plan
from edgeprune.pruning.walk import arguments, operator_name


@dataclass(frozen=True)
class Call:
    """An operator and its arguments; tensors among them are nodes of the traced graph."""

    target: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


def sizes_of(coupling: Coupling, plan: Plan) -> Sizes:
    """Return the lengths of all axes under a plan."""
    return Sizes.of(coupling, ~removed_sets(coupling, plan))


def calls(sizes: Sizes) -> dict[str, Call]:
    """Return the calls by node name."""
    changes = edits(sizes)
    nodes = [node for node in sizes.coupling.trace.graph.nodes if node.op == "call_function"]
    return {node.name: _call(node, changes.get(node.name, {}), sizes) for node in nodes}


def _call(node: fx.Node, edit: Edit, sizes: Sizes) -> Call:
    if operator_name(node) in ("chunk", "split") and node.target is not operator.getitem:
        return _exact_split(node, sizes)
    call = Call(node.target, node.args, dict(node.kwargs))
    return with_arguments(call, edit) if edit else call


def _exact_split(node: fx.Node, sizes: Sizes) -> Call:
    axis = int(arguments(node)["dim"])
    pieces = node.meta["val"]
    axis += len(pieces[0].shape) if axis < 0 else 0
    lengths = [sizes.after(node, axis, part) for part in range(len(pieces))]
    return Call(torch.ops.aten.split_with_sizes.default, (node.args[0], lengths, axis), {})


def with_arguments(call: Call, changes: Mapping[str, Any]) -> Call:
    """Return an operator's call with the arguments of these names changed."""
    assert isinstance(call.target, torch._ops.OpOverload)
    positions = {argument.name: place for place, argument in enumerate(call.target._schema.arguments)}
    changed, kwargs = list(call.args), dict(call.kwargs)
    for key, value in changes.items():
        if positions[key] < len(changed):
            changed[positions[key]] = value
        else:
            kwargs[key] = value
    return Call(call.target, tuple(changed), kwargs)
