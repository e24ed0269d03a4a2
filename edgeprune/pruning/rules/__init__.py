"""What each ATen operator does to labels. A rule knows operators, never a network."""

from __future__ import annotations

from edgeprune.pruning.rules import (
    attention,
    convolution,
    indexing,
    joining,
    linear,
    moving,
    normalisation,
    pointwise,
    pooling,
    reducing,
    reshaping,
)
from edgeprune.pruning.walk import Rule

_MODULES = (
    attention,
    convolution,
    indexing,
    joining,
    linear,
    moving,
    normalisation,
    pointwise,
    pooling,
    reducing,
    reshaping,
)

RULES: dict[str, Rule] = {name: rule for module in _MODULES for name, rule in module.TABLE.items()}
"""Every operator's rule by its base name."""
