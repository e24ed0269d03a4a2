"""Norms of weights: Li et al., "Pruning filters for efficient convnets" (2017), over everything coupled (Fang 2023)."""

from __future__ import annotations

from collections.abc import Iterator

from edgeprune.pruning.criteria.evidence import Evidence, per_set
from edgeprune.pruning.criteria.scores import Scores


def l1(evidence: Evidence) -> Scores:
    """Sum of absolute weights that make or read a set, each layer divided by its mean; the mean over layers."""
    return _magnitude(evidence, 1)


def l2(evidence: Evidence) -> Scores:
    """Euclidean norm of the weights that make or read a set, each layer divided by its mean; the mean over layers."""
    return _magnitude(evidence, 2)


def _magnitude(evidence: Evidence, power: int) -> Scores:
    return evidence.combine(_layers(evidence, power), "mean", "mean")


def _layers(evidence: Evidence, power: int) -> Iterator[Scores]:
    for axis in evidence.coupling.axes:
        rank = evidence.tensors[axis.name].ndim
        if rank < 2 or axis.reason is not None or (axis.role == "carrier" and rank < 3):
            continue
        summed = per_set(axis, evidence.power_sums(axis.name, axis.axis, power), evidence.coupling.set_count)
        yield summed ** (1 / power)
