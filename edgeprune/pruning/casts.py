"""Casts in a traced graph: a network that is cast to another type is to stay in that."""

from __future__ import annotations

from torch import fx

from edgeprune.pruning.trace import Trace


def same_type(node: fx.Node) -> bool:
    """Tell whether a cast changed nothing when it was traced."""
    source = node.all_input_nodes[0]
    before, after = source.meta["val"], node.meta["val"]
    return bool((before.dtype, before.device) == (after.dtype, after.device))


def typed_like(traced: Trace, node: fx.Node) -> fx.Node | None:
    """Return the network's first tensor of a cast's type, where the cast is of what was made from numbers alone.

    Everything else follows the types of the inputs and parameters that it was worked out from, and needs no such.
    """
    if not node.meta["val"].is_floating_point() or _reaches_a_tensor(node):
        return None
    placeholders = (other for other in traced.graph.nodes if other.op == "placeholder")
    return next((other for other in placeholders if other.meta["val"].dtype == node.meta["val"].dtype), None)


def _reaches_a_tensor(node: fx.Node) -> bool:
    """Tell whether a node depends on an input, a parameter or a buffer."""
    seen: set[fx.Node] = set()
    left = [node]
    while left:
        own = left.pop()
        if own.op == "placeholder":
            return True
        if own not in seen:
            seen.add(own)
            left.extend(own.all_input_nodes)
    return False
