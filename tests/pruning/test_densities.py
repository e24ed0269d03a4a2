"""The same amounts per layer as an earlier pruning."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from edgeprune.errors import UserError
from edgeprune.pruning import Masks, Plan, make_plan, overrides_of, weight_masks
from edgeprune.recipe import Prune
from tests.pruning import pruning_networks as zoo

IMAGE = (torch.ones(1, 3, 8, 8, dtype=torch.float64),)


def counts(plan: Plan) -> dict[str, int]:
    return {layer.name: layer.after for layer in plan.layers}


def test_random_channels_with_the_densities_of_a_plan(tmp_path: Path) -> None:
    model = zoo.randomised(zoo.ResNet())
    scored = make_plan(model, IMAGE, Prune(amount=0.6, scope="global"))
    assert len({round(layer.after / layer.before, 2) for layer in scored.layers}) > 2  # not uniform by accident
    (tmp_path / "plan.json").write_text(scored.to_json())
    asked = Prune(amount=0.6, criterion="random", amounts_from=str(tmp_path))
    random = make_plan(model, IMAGE, asked, seed=5)
    assert counts(random) == counts(scored)
    assert random.kept != scored.kept
    assert random.parameters_after == scored.parameters_after
    by_hand = Prune(amount=0.6, criterion="random", override=overrides_of(scored))
    assert make_plan(model, IMAGE, by_hand, seed=5) == random


def test_half_way_every_layer_has_lost_half_of_its_own(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(2, 10), nn.ReLU(), nn.Linear(10, 20), nn.ReLU(), nn.Linear(20, 1))
    asked = Prune(amount=0.5, override=[{"pattern": "0", "amount": 0.8}, {"pattern": "2", "amount": 0.2}])  # type: ignore[list-item]
    whole = make_plan(model, (torch.ones(1, 2),), asked)
    (tmp_path / "plan.json").write_text(whole.to_json())
    again = Prune(amount=0.5, criterion="random", amounts_from=str(tmp_path / "plan.json"))
    assert counts(make_plan(model, (torch.ones(1, 2),), again, 0.25)) == {"0": 6, "2": 18, "4": 1}
    assert counts(make_plan(model, (torch.ones(1, 2),), again)) == {"0": 2, "2": 16, "4": 1}


def test_random_weights_with_the_densities_of_masks(tmp_path: Path) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(20, 30), nn.ReLU(), nn.Linear(30, 7))
    with torch.no_grad():
        model[0].weight.mul_(0.3)
    scored = weight_masks(model, Prune(amount=0.7, granularity="weight", scope="global"))
    save_file({name: mask.to(torch.uint8) for name, mask in scored.items()}, tmp_path / "masks.safetensors")
    asked = Prune(amount=0.7, granularity="weight", criterion="random", amounts_from=str(tmp_path))
    random = weight_masks(model, asked, seed=3)
    assert {name: int(mask.sum()) for name, mask in random.items()} == {n: int(m.sum()) for n, m in scored.items()}
    assert not random.within(scored)


def test_names_are_taken_literally() -> None:
    [found] = overrides_of(Masks({"a[0]*.weight": torch.tensor([[True, False]])}))
    assert (found.pattern, found.amount) == ("a[[]0][*]", 0.5)


def test_what_is_not_there_or_nothing_of_the_kind(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 2))
    asked = Prune(amount=0.5, amounts_from=str(tmp_path))
    with pytest.raises(UserError, match=re.escape(f"prune.amounts_from: {tmp_path / 'plan.json'}: no such file")):
        make_plan(model, (torch.ones(1, 2),), asked)
    (tmp_path / "plan.json").write_text("{}")
    with pytest.raises(UserError, match="plan: not a plan written by edgeprune"):
        make_plan(model, (torch.ones(1, 2),), asked)
    (tmp_path / "masks.safetensors").write_text("no")
    with pytest.raises(UserError, match="not a safetensors file of masks"):
        weight_masks(model, Prune(amount=0.5, granularity="weight", amounts_from=str(tmp_path)))
    with pytest.raises(ValueError, match="scope does nothing when amounts_from gives every layer its amount"):
        Prune(amount=0.5, amounts_from="x", scope="global")
