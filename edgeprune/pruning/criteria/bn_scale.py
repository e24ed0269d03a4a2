"""Scales of batch normalisations: Liu et al., "Network slimming" (2017)."""

from __future__ import annotations

import numpy as np

from edgeprune.pruning.criteria.evidence import Evidence, per_set
from edgeprune.pruning.criteria.scores import Scores


def bn_scale(evidence: Evidence) -> Scores:
    """Mean absolute scale of a set's batch normalisations, as it is: scales are comparable between layers.

    Sets without a batch normalisation are ``nan``.
    """
    count = evidence.coupling.set_count
    layers = []
    for axis in evidence.coupling.axes:
        module, _, leaf = axis.name.rpartition(".")
        if leaf != "weight" or "BatchNorm" not in evidence.coupling.kinds.get(module, "") or axis.reason is not None:
            continue
        members = per_set(axis, np.ones(len(axis.sets)), count)
        layers.append(per_set(axis, np.abs(evidence.array(axis.name)), count) / members)
    return evidence.combine(layers, "mean", "none")
