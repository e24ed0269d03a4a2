"""Random scores: the baseline every criterion must beat."""

from __future__ import annotations

import numpy as np

from edgeprune.pruning.criteria.evidence import Evidence
from edgeprune.pruning.criteria.scores import Scores


def random(evidence: Evidence) -> Scores:
    """Uniform numbers in [0, 1) from the seed alone, so that every round of a schedule ranks alike."""
    return np.random.default_rng(evidence.seed).random(evidence.coupling.set_count)
