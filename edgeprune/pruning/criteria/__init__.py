"""How much a coupled set of channels matters: one number per set, small ones go first."""

from __future__ import annotations

from collections.abc import Callable

from edgeprune.errors import UserError
from edgeprune.pruning.criteria.activation import activation_mean, apoz
from edgeprune.pruning.criteria.bn_scale import bn_scale
from edgeprune.pruning.criteria.evidence import Batch, Evidence, per_set
from edgeprune.pruning.criteria.geometric_median import geometric_median
from edgeprune.pruning.criteria.magnitude import l1, l2
from edgeprune.pruning.criteria.random import random
from edgeprune.pruning.criteria.scores import Scores
from edgeprune.pruning.criteria.taylor import taylor
from edgeprune.pruning.criteria.user import checked_scores
from edgeprune.user_code import load_callable

Criterion = Callable[[Evidence], Scores]

CRITERIA: dict[str, Criterion] = {
    "l1": l1,
    "l2": l2,
    "bn-scale": bn_scale,
    "taylor": taylor,
    "activation-mean": activation_mean,
    "apoz": apoz,
    "geometric-median": geometric_median,
    "random": random,
}

_DATA_FREE = ("l1", "l2", "han", "bn-scale", "geometric-median", "random")

__all__ = ["CRITERIA", "Batch", "Criterion", "Evidence", "Scores", "needs_data", "per_set", "score_sets"]


def needs_data(criterion: str | Criterion) -> bool:
    """Tell whether a criterion may look at calibration batches; one of the user's own may."""
    return callable(criterion) or criterion not in _DATA_FREE


def score_sets(criterion: str | Criterion, evidence: Evidence) -> Scores:
    """Return one score per set; a set the criterion has nothing to say about is ``nan``.

    ``criterion`` is a name of ``CRITERIA``, a function of the evidence, or where one is found
    (``package.module:callable`` or ``path/to/file.py:callable``).

    Raises:
        UserError: unknown criterion, one that needs calibration batches and got none, or a function that does not
            return one number per set.
    """
    if isinstance(criterion, str) and criterion in CRITERIA:
        return CRITERIA[criterion](evidence)
    if isinstance(criterion, str) and ":" not in criterion:
        raise UserError(f"prune.criterion: {criterion!r} is not one of {', '.join(CRITERIA)}")
    function = load_callable(criterion) if isinstance(criterion, str) else criterion
    name = criterion if isinstance(criterion, str) else getattr(criterion, "__qualname__", repr(criterion))
    return checked_scores(name, function(evidence), (evidence.coupling.set_count,), "one number per set")
