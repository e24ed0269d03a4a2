"""Every criterion under every scope on hand-made weights: literal decisions, and the rule that each scope is."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from edgeprune.pruning import CRITERIA, Evidence, make_plan, plan_masks, trace_coupling, weight_masks
from edgeprune.pruning.criteria import score_sets
from edgeprune.recipe import Prune

POINT = (torch.ones(2, 2),)
BATCH = (torch.tensor([[1.0, 0.5], [-1.0, 2.0], [0.5, -1.0], [2.0, 1.0]]), torch.tensor([0, 1, 1, 0]))
Indices = tuple[int, ...]


def hand_made() -> nn.Sequential:
    """Two hidden layers of four, each with a batch normalisation; the second layer's rows differ more."""
    model = nn.Sequential(
        nn.Linear(2, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2)
    ).eval()
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[4.0, 1.0], [3.0, -1.5], [-3.0, 2.5], [2.5, -3.5]]))
        model[1].weight.copy_(torch.tensor([0.9, 0.85, 0.8, 0.7]))
        model[3].weight.copy_(
            torch.tensor(
                [[0.01, 0.02, -0.03, 0.01], [0.25, -0.1, 0.1, 0.1], [-0.4, 0.2, 0.8, 0.6], [0.3, 0.4, 0.4, -1.8]]
            )
        )
        model[4].weight.copy_(torch.tensor([0.75, 1.4, 0.2, 2.6]))
        model[6].weight.copy_(torch.tensor([[1.0, -2.0, 0.5, 1.5], [0.5, 1.0, -1.0, 2.0]]))
        for place in (0, 3, 6):
            model[place].bias.copy_(torch.linspace(-0.2, 0.4, len(model[place].bias)))
    return model


# Kept channels of both hidden layers at half of them.
TABLE: dict[tuple[str, str], tuple[Indices, Indices]] = {
    ("l1", "uniform"): ((2, 3), (2, 3)),
    ("l1", "local"): ((2, 3), (2, 3)),
    ("l1", "global"): ((2, 3), (2, 3)),
    ("l2", "uniform"): ((2, 3), (2, 3)),
    ("l2", "local"): ((2, 3), (2, 3)),
    ("l2", "global"): ((2, 3), (2, 3)),
    ("bn-scale", "uniform"): ((0, 1), (1, 3)),
    ("bn-scale", "local"): ((0, 1, 2), (3,)),
    ("bn-scale", "global"): ((0, 1), (1, 3)),
    ("taylor", "uniform"): ((0, 3), (1, 3)),
    ("taylor", "local"): ((0, 3), (1, 3)),
    ("taylor", "global"): ((0, 3), (1, 3)),
    ("activation-mean", "uniform"): ((0, 1), (1, 3)),
    ("activation-mean", "local"): ((0, 1, 2), (3,)),
    ("activation-mean", "global"): ((0, 1, 2), (3,)),
    ("apoz", "uniform"): ((1, 3), (1, 3)),
    ("apoz", "local"): ((0, 1, 3), (1,)),
    ("apoz", "global"): ((1, 3), (1, 3)),
    ("geometric-median", "uniform"): ((2, 3), (2, 3)),
    ("geometric-median", "local"): ((2, 3), (2, 3)),
    ("geometric-median", "global"): ((2, 3), (2, 3)),
    ("random", "uniform"): ((1, 3), (1, 2)),
    ("random", "local"): ((1, 3), (1, 2)),
    ("random", "global"): ((0, 1, 3), (2,)),
}


def decided(criterion: str, scope: str) -> tuple[Indices, Indices]:
    asked = Prune(amount=0.5, criterion=criterion, scope=scope)  # type: ignore[arg-type]
    model = hand_made()
    plan = make_plan(model, POINT, asked, calibration=[BATCH], seed=1)
    masks = plan_masks(model, plan)
    alive = [masks[name].any(dim=1) if name in masks else torch.ones(4).bool() for name in ("0.weight", "3.weight")]
    return tuple(tuple(flags.nonzero().ravel().tolist()) for flags in alive)  # type: ignore[return-value]


def layer_scores(criterion: str) -> list[NDArray[np.float64]]:
    model = hand_made()
    coupling = trace_coupling(model, POINT)
    scores = score_sets(criterion, Evidence(coupling, model, (BATCH,), 1))
    return [
        scores[next(axis.sets for axis in coupling.axes if (axis.name, axis.axis) == (name, 0))]
        for name in ("0.weight", "3.weight")
    ]


def by_the_rule(scores: list[NDArray[np.float64]], scope: str) -> tuple[Indices, ...]:
    """Say what goes in the plainest way there is."""
    if scope == "uniform":
        return tuple(tuple(sorted(np.argsort(values)[2:].tolist())) for values in scores)
    if scope == "local":
        scores = [values / np.sqrt((values**2).mean()) for values in scores]
    ranked = sorted((value, layer, index) for layer, values in enumerate(scores) for index, value in enumerate(values))
    kept = [set(range(4)), set(range(4))]
    for _, layer, index in ranked:
        if sum(map(len, kept)) > 4 and len(kept[layer]) > 1:
            kept[layer].remove(index)
    return tuple(tuple(sorted(indices)) for indices in kept)


@pytest.mark.parametrize("scope", ["uniform", "local", "global"])
@pytest.mark.parametrize("criterion", CRITERIA)
def test_channels(criterion: str, scope: str) -> None:
    assert decided(criterion, scope) == TABLE[criterion, scope] == by_the_rule(layer_scores(criterion), scope)


def weights() -> nn.Sequential:
    """Two layers of four weights; the second is smaller, and one of its weights stands out."""
    model = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False))
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[1.0, -0.9], [0.8, 1.1]]))
        model[1].weight.copy_(torch.tensor([[0.1, -0.15], [0.2, 0.9]]))
    return model


# Magnitudes 1, 0.9, 0.8, 1.1 (root mean square 0.957) and 0.1, 0.15, 0.2, 0.9 (0.473).
MASKS = {
    ("l1", "uniform"): ([[1, 0], [0, 1]], [[0, 0], [1, 1]]),
    ("l1", "local"): ([[1, 1], [0, 1]], [[0, 0], [0, 1]]),
    ("l1", "global"): ([[1, 1], [0, 1]], [[0, 0], [0, 1]]),
    ("l2", "uniform"): ([[1, 0], [0, 1]], [[0, 0], [1, 1]]),
    ("l2", "local"): ([[1, 1], [0, 1]], [[0, 0], [0, 1]]),
    ("l2", "global"): ([[1, 1], [0, 1]], [[0, 0], [0, 1]]),
}


@pytest.mark.parametrize(("criterion", "scope"), MASKS)
def test_weights(criterion: str, scope: str) -> None:
    masks = weight_masks(weights(), Prune(amount=0.5, granularity="weight", criterion=criterion, scope=scope))  # type: ignore[arg-type]
    assert tuple(masks[name].int().tolist() for name in ("0.weight", "1.weight")) == MASKS[criterion, scope]


@pytest.mark.parametrize("scope", ["uniform", "local", "global"])
@pytest.mark.parametrize("criterion", ["taylor", "random"])
def test_weights_follow_the_rule_of_each_scope(criterion: str, scope: str) -> None:
    model, batch = weights(), (torch.tensor([[1.0, 2.0]]), torch.tensor([0]))
    if criterion == "taylor":
        torch.nn.functional.cross_entropy(model(batch[0]), batch[1]).backward()
        products = [(layer.weight.grad * layer.weight).detach().double().numpy().ravel() ** 2 for layer in model]
        scores = [values.astype(np.float64) for values in products]
    else:
        generator = np.random.default_rng(7)
        scores = [generator.random(4), generator.random(4)]
    asked = Prune(amount=0.5, granularity="weight", criterion=criterion, scope=scope)  # type: ignore[arg-type]
    masks = weight_masks(model, asked, calibration=[batch], seed=7)
    found = tuple(tuple(mask.ravel().nonzero().ravel().tolist()) for mask in masks.values())
    assert found == by_the_rule(scores, scope)
