"""Parts of a network's code under ``torch.no_grad()`` or a disabled ``torch.autocast``, put back into one graph.

The exporter makes such a part a graph of its own, called by an operator of which no rule could say anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, fx

_GRADIENTS = torch.ops.higher_order.wrap_with_set_grad_enabled
_AUTOCAST = torch.ops.higher_order.wrap_with_autocast


def inline_regions(module: fx.GraphModule) -> None:
    """Put the operators of every such part into the graph of ``module`` in place of the call.

    What comes out of a part without gradients is detached, so that training means in one graph what it meant. A part
    whose autocast changes what it computes stays as it is.
    """
    for node in list(module.graph.nodes):
        found = _region(node)
        if found is not None:
            part, given, detached = found
            inner = module.get_submodule(str(part.target))
            assert isinstance(inner, fx.GraphModule)
            inline_regions(inner)
            if all(own.op != "get_attr" for own in inner.graph.nodes):
                _replace(module.graph, node, inner.graph, given, detached)
    module.graph.eliminate_dead_code(lambda node: node.op != "get_attr")
    module.graph.lint()


def _region(node: fx.Node) -> tuple[fx.Node, Sequence[Any], bool] | None:
    """Return the part that a node calls, its operands, and whether it runs without gradients."""
    if node.target is _GRADIENTS:
        enabled, part, *given = node.args
        detached = not enabled
    elif node.target is _AUTOCAST and not _casts(node):
        part, *given = node.args[4:]
        detached = False
    else:
        return None
    assert isinstance(part, fx.Node)
    return part, given, detached


def _casts(node: fx.Node) -> bool:
    """Tell whether an autocast is on for the device that its operands are on."""
    kind, _, enabled = node.args[:3]
    values = [operand.meta.get("val") for operand in node.all_input_nodes]
    return bool(enabled) and any(isinstance(value, Tensor) and value.device.type == kind for value in values)


def _replace(graph: fx.Graph, node: fx.Node, inner: fx.Graph, given: Sequence[Any], detached: bool) -> None:
    """Write the operators of ``inner`` in place of ``node``, whose results are taken out of it one by one."""
    placeholders = [own for own in inner.nodes if own.op == "placeholder"]
    values: dict[fx.Node, Any] = dict(zip(placeholders, given, strict=True))
    results: Sequence[Any] = ()
    with graph.inserting_before(node):
        for own in inner.nodes:
            if own.op == "output":
                results = fx.map_arg(own.args[0], lambda value: values[value])
            elif own.op != "placeholder":
                values[own] = graph.node_copy(own, lambda value: values[value])
        if detached:
            results = [_detach(graph, value) for value in results]
    for user in list(node.users):
        user.replace_all_uses_with(results[int(user.args[1])])  # type: ignore[arg-type]
        graph.erase_node(user)
    graph.erase_node(node)


def _detach(graph: fx.Graph, value: Any) -> Any:
    if not isinstance(value, fx.Node) or not isinstance(value.meta.get("val"), Tensor):
        return value
    result = graph.call_function(torch.ops.aten.detach.default, (value,))
    result.meta = dict(value.meta)
    return result
