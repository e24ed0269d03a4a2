"""Norms of weights: Li et al., "Pruning filters for efficient convnets" (2017), over everything coupled (Fang 2023)."""

from __future__ import annotations

import numpy as np

from edgeprune.pruning.criteria.evidence import Evidence, per_set
from edgeprune.pruning.criteria.scores import Scores


def l1(evidence: Evidence) -> Scores:
    """Sum of absolute weights that make or read a set, each layer divided by its mean; the mean over layers."""
    return _magnitude(evidence, 1)


def l2(evidence: Evidence) -> Scores:
    """Euclidean norm of the weights that make or read a set, each layer divided by its mean; the mean over layers."""
    return _magnitude(evidence, 2)


def _magnitude(evidence: Evidence, power: int) -> Scores:
    count = evidence.coupling.set_count
    layers = []
    for axis in evidence.coupling.axes:
        weight = evidence.array(axis.name)
        if axis.role == "carrier" and weight.ndim < 3:
            continue
        if weight.ndim < 2 or axis.reason is not None:
            continue
        others = tuple(place for place in range(weight.ndim) if place != axis.axis)
        summed = per_set(axis, (np.abs(weight) ** power).sum(axis=others), count)
        layers.append(summed ** (1 / power))
    return evidence.combine(layers, "mean", "mean")
