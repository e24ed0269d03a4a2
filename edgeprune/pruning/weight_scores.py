"""How much single weights matter, and rows and columns of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from torch import Tensor, nn

from edgeprune.errors import UserError
from edgeprune.pruning.criteria import Batch, Scores
from edgeprune.pruning.criteria.taylor import gradient_products
from edgeprune.pruning.criteria.user import checked_scores
from edgeprune.pruning.units import Units
from edgeprune.user_code import load_callable

CRITERIA = ("l1", "l2", "han", "taylor", "random")
GONE = -np.inf
"""The score of what was gone already."""


@dataclass(frozen=True)
class WeightEvidence:
    """A network, its weights that may go by name, calibration batches (inputs, labels) and a seed."""

    model: nn.Module
    parameters: Mapping[str, nn.Parameter]
    calibration: tuple[Batch, ...] = ()
    seed: int = 0


WeightCriterion = Callable[[WeightEvidence], Mapping[str, object]]
"""Returns a score per entry of every parameter, in its shape."""


def score_units(
    criterion: str | WeightCriterion, evidence: WeightEvidence, units: Mapping[str, Units]
) -> dict[str, Scores]:
    """Return one score per unit of each parameter.

    ``l1`` is the mean absolute weight of a unit, ``l2`` its root mean square, ``taylor`` the mean of (gradient x
    weight)^2 (Molchanov et al. 2019), ``random`` a number from the seed.

    Raises:
        UserError: the criterion cannot judge single weights, needs batches and got none, or is a function that does
            not return a finite score per entry.
    """
    if criterion == "random":
        generator = np.random.default_rng(evidence.seed)
        return {name: generator.random(units[name].count) for name in evidence.parameters}
    if criterion in ("l1", "han"):
        return {name: units[name].mean(_magnitude(value)) for name, value in evidence.parameters.items()}
    if criterion == "l2":
        squares = {name: units[name].mean(_magnitude(value) ** 2) for name, value in evidence.parameters.items()}
        return {name: np.sqrt(value) for name, value in squares.items()}
    if criterion == "taylor":
        if not evidence.calibration:
            raise UserError("prune.criterion 'taylor' looks at data: give it calibration batches")
        products = gradient_products(evidence.model, evidence.calibration)
        return {name: units[name].mean(products[name]) for name in evidence.parameters}
    if isinstance(criterion, str) and ":" not in criterion:
        raise UserError(f"prune.criterion: {criterion!r} cannot judge single weights; use {', '.join(CRITERIA)}")
    return _of_the_users_own(criterion, evidence, units)


def _magnitude(parameter: Tensor) -> Scores:
    return np.asarray(parameter.detach().abs().double().cpu().numpy(), dtype=np.float64)


def _of_the_users_own(
    criterion: str | WeightCriterion, evidence: WeightEvidence, units: Mapping[str, Units]
) -> dict[str, Scores]:
    function = load_callable(criterion) if isinstance(criterion, str) else criterion
    label = criterion if isinstance(criterion, str) else getattr(criterion, "__qualname__", repr(criterion))
    found = function(evidence)
    if not isinstance(found, Mapping) or set(found) != set(evidence.parameters):
        wanted = ", ".join(evidence.parameters)
        raise UserError(f"prune.criterion: {label} must return a dictionary with a tensor for each of {wanted}")
    scores = {}
    for name, parameter in evidence.parameters.items():
        entries = checked_scores(label, found[name], tuple(parameter.shape), f"the shape of {name}")
        if np.isnan(entries).any():
            raise UserError(f"prune.criterion: {label} returned nan for {name}")
        scores[name] = units[name].mean(entries)
    return scores
