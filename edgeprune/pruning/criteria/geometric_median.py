"""Distance to the other filters: He et al., "Filter pruning via geometric median" (2019)."""

from __future__ import annotations

import numpy as np

from edgeprune.pruning.criteria.evidence import Evidence, per_set
from edgeprune.pruning.criteria.scores import Scores


def geometric_median(evidence: Evidence) -> Scores:
    """Sum of Euclidean distances from a filter to all filters of its layer, normalised, the mean over layers.

    A filter near the geometric median of its layer is the one the others can replace.
    """
    count = evidence.coupling.set_count
    layers = []
    for axis in evidence.coupling.axes:
        if axis.role != "producer" or evidence.tensors[axis.name].ndim < 2 or axis.reason is not None:
            continue
        weight = evidence.array(axis.name)
        filters = np.moveaxis(weight, axis.axis, 0).reshape(weight.shape[axis.axis], -1)
        layers.append(per_set(axis, _distances(filters), count))
    return evidence.combine(layers, "mean", "mean")


def _distances(filters: Scores) -> Scores:
    """Return every row's sum of distances to all rows, without holding all differences at once."""
    squares = (filters**2).sum(axis=1)
    squared = squares[:, None] + squares[None, :] - 2 * filters @ filters.T
    np.fill_diagonal(squared, 0)
    return np.asarray(np.sqrt(np.maximum(squared, 0)).sum(axis=1))
