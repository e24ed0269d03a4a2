"""Callbacks that a recipe names: they act in both phases, and masks have the last word."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from edgeprune.data import Splits
from edgeprune.errors import UserError
from edgeprune.recipe import Prune, Retrain, Train
from edgeprune.training import fit, prune_and_retrain
from edgeprune.user_code import load_callable
from tests.training.test_rounds import recipe
from tests.training.tiny_training import make_model

CODE = """
from edgeprune.training import Callback

class Bump(Callback):
    seen = []

    def on_step_end(self, model, optimizer, step):
        self.seen.append(step)
        for parameter in model.parameters():
            parameter.data.add_(0.001)

def number():
    return 3

def wants(argument):
    return Bump()
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "own.py"
    path.write_text(CODE)
    return path


def test_they_act_in_training(splits: Splits, file: Path) -> None:
    plain, own = make_model(), make_model()
    fit(plain, splits, Train(epochs=1), seed=0)
    fit(own, splits, Train(epochs=1, callbacks=[f"{file}:Bump"]), seed=0)
    assert load_callable(f"{file}:Bump").seen == [0]  # 90 samples are one batch of 128
    torch.testing.assert_close(own.fc2.bias, plain.fc2.bias + 0.001)


def test_masks_hold_after_whatever_they_do(splits: Splits, file: Path, tmp_path: Path) -> None:
    asked = recipe(granularity="weight", amount=0.75)
    retrain = Retrain(epochs=1, batch_size=16, callbacks=[f"{file}:Bump"])
    model = make_model()
    prune_and_retrain(model, splits, asked.model_copy(update={"retrain": retrain}), work=tmp_path / "work")
    assert int(torch.count_nonzero(model.fc1.weight)) == 1536 // 4


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("number", "gave int, not an edgeprune.training.Callback"),
        ("wants", "is called without arguments: wants() missing 1 required"),
        ("Bunp", "there is no 'Bunp' in it; did you mean Bump?"),
    ],
)
def test_what_is_none_is_refused(splits: Splits, file: Path, name: str, message: str) -> None:
    with pytest.raises(UserError, match=re.escape(message)):
        fit(make_model(), splits, Train(epochs=1, callbacks=[f"{file}:{name}"]), seed=0)


def test_the_rate_is_a_multiple_of_the_first_phases() -> None:
    raw = recipe().model_dump(mode="json")
    raw["train"]["learning_rate"], raw["retrain"] = 0.2, {"epochs": 1, "learning_rate_factor": 0.1}
    found = type(recipe()).model_validate(raw)
    assert found.retrain.learning_rate == 0.1 * 0.2
    assert type(found).model_validate(found.model_dump(mode="json")) == found
    tables = {"train": Train(epochs=1, learning_rate=0.2), "retrain": Retrain(epochs=1, learning_rate_factor=0.1)}
    rest = {"name": "a", "description": "a", "model": found.model, "data": found.data, "prune": Prune(amount=0.5)}
    assert type(found).model_validate(rest | tables).retrain.learning_rate == 0.1 * 0.2
    raw["retrain"]["learning_rate"] = 0.3
    with pytest.raises(
        ValueError, match=re.escape("is retrain.learning_rate_factor x train.learning_rate; remove one")
    ):
        type(found).model_validate(raw)
    raw["retrain"] = {"from": "scratch", "learning_rate_factor": 0.1}
    with pytest.raises(ValueError, match="learning_rate_factor does nothing when from is 'scratch'"):
        type(found).model_validate(raw)
