"""Modules that a rewritten graph calls as modules, so that training means to them what it meant."""

from __future__ import annotations

from torch import nn

from edgeprune.pruning.trace import Trace
from edgeprune.pruning.walk import operator_name

KEPT_MODULES = (nn.modules.batchnorm._BatchNorm, nn.modules.dropout._DropoutNd)
"""Batch normalisations and dropouts."""


def operators_inside(traced: Trace) -> dict[str, set[str]]:
    """Return the operators that ran in each module and its parts, by the module's name."""
    found: dict[str, set[str]] = {}
    for node in traced.graph.nodes:
        for path, _ in (node.meta.get("nn_module_stack") or {}).values():
            found.setdefault(str(path), set()).add(operator_name(node))
    return found


def become_torch_own(module: nn.Module) -> None:
    """Make a module of a class derived from torch's one of torch's own, in place.

    For one that does more than its base, such as a normalisation with an activation inside: what else it does is in the
    graph, too.
    """
    own = next(kind for kind in type(module).__mro__ if kind.__module__.startswith("torch.nn."))
    object.__setattr__(module, "__class__", own)
