"""How the scores that several layers give a coupled set become one.

Everything coupled goes together, so everything coupled is asked: Fang et al., "DepGraph: towards any structural
pruning" (2023), section 3.3, sum the norms over a group; Torch-Pruning, its code, averages by default and divides each
layer's scores by their mean first, without which layers with large weights decide alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from edgeprune.pruning.criteria.scores import Scores

Aggregate = Literal["mean", "max", "sum"]
Normalise = Literal["none", "mean", "max"]


@dataclass(frozen=True)
class Aggregation:
    """``normalise`` is what each layer's scores are divided by, ``aggregate`` how the layers' are put together."""

    aggregate: Aggregate
    normalise: Normalise

    def __call__(self, layers: Iterable[Scores], count: int) -> Scores:
        """Return one score for each of ``count`` sets out of one array per layer.

        A set has ``nan`` in a layer where it does not occur, and counts only where it does; one that occurs nowhere
        is ``nan``. Layers are taken in one after the other: a deep network has hundreds, each as long as ``count``.
        """
        total = np.full(count, -np.inf if self.aggregate == "max" else 0.0)
        number = np.zeros(count, dtype=np.int64)
        join = np.maximum if self.aggregate == "max" else np.add
        for layer in layers:
            values = self._normalised(layer)
            there = np.isfinite(values)
            total[there] = join(total[there], values[there])
            number += there
        if self.aggregate == "mean":
            total = total / np.maximum(number, 1)
        return np.where(number > 0, total, np.nan)

    def _normalised(self, layer: Scores) -> Scores:
        """Divide by the mean or the maximum over what is there and not zero, so that layers can be compared."""
        there = layer[np.isfinite(layer) & (layer != 0)]
        if self.normalise == "none" or not there.size:
            return layer
        divisor = float(there.mean() if self.normalise == "mean" else there.max())
        return layer / divisor
