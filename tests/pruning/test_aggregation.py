"""How the scores of coupled layers become one: every combination on hand-made numbers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from edgeprune.errors import UserError
from edgeprune.pruning import Evidence, make_plan, trace_coupling
from edgeprune.pruning.criteria import score_sets
from edgeprune.pruning.criteria.aggregation import Aggregate, Aggregation, Normalise
from edgeprune.recipe import Prune

NAN = np.nan
LAYERS = [np.array([1.0, 3.0, 0.0, NAN]), np.array([10.0, NAN, 20.0, NAN])]
# Means over what is there and not zero: 2 and 15; maxima: 3 and 20.


@pytest.mark.parametrize(
    ("aggregate", "normalise", "expected"),
    [
        ("mean", "none", [5.5, 3, 10, NAN]),
        ("max", "none", [10, 3, 20, NAN]),
        ("sum", "none", [11, 3, 20, NAN]),
        ("mean", "mean", [(1 / 2 + 10 / 15) / 2, 1.5, 20 / 15 / 2, NAN]),
        ("max", "mean", [10 / 15, 1.5, 20 / 15, NAN]),
        ("sum", "mean", [1 / 2 + 10 / 15, 1.5, 20 / 15, NAN]),
        ("mean", "max", [(1 / 3 + 1 / 2) / 2, 1, 0.5, NAN]),
        ("max", "max", [0.5, 1, 1, NAN]),
        ("sum", "max", [1 / 3 + 1 / 2, 1, 1, NAN]),
    ],
)
def test_every_combination(aggregate: Aggregate, normalise: Normalise, expected: list[float]) -> None:
    np.testing.assert_allclose(Aggregation(aggregate, normalise)(LAYERS, 4), expected)


def test_no_layer_is_no_judgement() -> None:
    assert np.isnan(Aggregation("sum", "mean")([], 3)).all()
    np.testing.assert_array_equal(Aggregation("mean", "mean")([np.zeros(2)], 2), [0, 0])


def network() -> nn.Sequential:
    """Made by rows of norms 4, 1, 3; read by columns of norms 1, 6, 2."""
    model = nn.Sequential(nn.Linear(2, 3, bias=False), nn.Linear(3, 1, bias=False))
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[4.0, 0.0], [0.0, 1.0], [3.0, 0.0]]))
        model[1].weight.copy_(torch.tensor([[1.0, 6.0, 2.0]]))
    return model


@pytest.mark.parametrize(
    ("settings", "scores", "first"),
    [
        ({}, [(4 / (8 / 3) + 1 / 3) / 2, (1 / (8 / 3) + 6 / 3) / 2, (3 / (8 / 3) + 2 / 3) / 2], 2),
        ({"aggregate": "max", "normalise": "none"}, [4, 6, 3], 2),
        ({"aggregate": "sum", "normalise": "none"}, [5, 7, 5], 0),
        ({"aggregate": "mean", "normalise": "max"}, [(1 + 1 / 6) / 2, (0.25 + 1) / 2, (0.75 + 1 / 3) / 2], 2),
    ],
)
def test_a_criterion_does_it_as_asked(settings: dict[str, str], scores: list[float], first: int) -> None:
    model, inputs = network(), (torch.ones(1, 2),)
    coupling = trace_coupling(model, inputs)
    evidence = Evidence(coupling, model, **settings)  # type: ignore[arg-type]
    np.testing.assert_allclose(score_sets("l1", evidence), scores)
    plan = make_plan(model, inputs, Prune(amount=0.34, criterion="l1", **settings))  # type: ignore[arg-type]
    assert plan.kept["0.weight"][0] == tuple(index for index in range(3) if index != first)


def constant(evidence: Evidence) -> list[float]:
    return [0.5, 0.1, 0.9]


def test_a_criterion_of_the_users_own_and_what_it_may_return() -> None:
    model, inputs = network(), (torch.ones(1, 2),)
    asked = Prune(amount=0.34)
    assert make_plan(model, inputs, asked, criterion=constant).kept["0.weight"][0] == (0, 2)  # type: ignore[arg-type]
    wrong: list[tuple[object, str]] = [
        ([0.5, 0.1], r"returned scores of shape \(2,\); one number per set is \(3,\)"),
        ([np.inf, 0.1, 0.2], "returned scores that are infinite, or nothing but nan"),
        ([np.nan] * 3, "returned scores that are infinite, or nothing but nan"),
        (None, r"of shape \(\); one number per set"),
        ("abc", "returned str; one number per set is wanted"),
    ]
    for found, message in wrong:
        with pytest.raises(UserError, match=message):
            make_plan(model, inputs, asked, criterion=lambda evidence, found=found: found)  # type: ignore[misc]


@pytest.mark.parametrize("key", ["aggregate", "normalise"])
@pytest.mark.parametrize(
    ("settings", "when"),
    [
        ({"criterion": "random"}, "criterion is 'random', which gives one score by itself"),
        ({"criterion": "my.py:score"}, "criterion is 'my.py:score', which gives one score by itself"),
        ({"granularity": "weight"}, "granularity is 'weight'"),
    ],
)
def test_keys_that_would_do_nothing(settings: dict[str, str], when: str, key: str) -> None:
    with pytest.raises(ValueError, match=f"{key} does nothing when {when}; remove it"):
        Prune.model_validate({"amount": 0.5, key: "max", **settings})
