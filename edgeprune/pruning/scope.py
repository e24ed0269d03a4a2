"""Where scores are compared: inside a layer, or between layers.

``uniform`` takes the same fraction of every layer ("layerwise" in Blalock et al., "What is the state of neural network
pruning?", 2020; ``global_pruning=False`` of Torch-Pruning). ``global`` makes one ranking of all scores as they are.
``local`` cuts every layer off at one common multiple of a statistic of its own: Han et al. (2015) prune below quality x
standard deviation of a layer's weights, and weights have a mean near zero, so that their deviation is the root mean
square of their magnitudes, which stands in for it where scores are not magnitudes. Layers with many small scores beside
a few large ones lose more than layers whose scores are alike, and no layer loses because its scale is small.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgeprune.pruning.labels import Flags, Indices

Values = NDArray[np.float64]


def relative(scores: Values, live: Flags) -> Values:
    """Return one layer's scores as multiples of their own root mean square over what is ``live`` and finite.

    Ranking these over all layers at once is cutting every layer off at the same multiple. Scores that are all zero
    stay zero.
    """
    judged = scores[live & np.isfinite(scores)]
    deviation = float(np.sqrt(np.mean(judged**2))) if judged.size else 0.0
    return scores / deviation if deviation > 0 else scores


def relative_in_groups(scores: Values, groups: Sequence[Indices], live: Flags) -> Values:
    """Return the scores of all sets, each relative to those of its own group of coupled layers."""
    found = scores.copy()
    for members in groups:
        found[members] = relative(scores[members], live[members])
    return found
