"""What a criterion of the user's own must return."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from edgeprune.errors import UserError
from edgeprune.pruning.criteria.scores import Scores


def checked_scores(name: str, found: object, shape: tuple[int, ...], wanted: str) -> Scores:
    """Return a user's scores as float64 of ``shape``; ``nan`` means that the criterion has nothing to say.

    Raises:
        UserError: they are no numbers, of another shape, infinite, or all ``nan``.
    """
    if isinstance(found, Tensor):
        found = found.detach().double().cpu().numpy()
    try:
        scores = np.asarray(found, dtype=np.float64)
    except (TypeError, ValueError):
        raise UserError(f"prune.criterion: {name} returned {type(found).__name__}; {wanted} is wanted") from None
    if scores.shape != shape:
        raise UserError(f"prune.criterion: {name} returned scores of shape {scores.shape}; {wanted} is {shape}")
    if np.isinf(scores).any() or (scores.size and np.isnan(scores).all()):
        raise UserError(f"prune.criterion: {name} returned scores that are infinite, or nothing but nan")
    return scores
