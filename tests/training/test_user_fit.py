from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from edgeprune.data import Splits
from edgeprune.errors import StageFailure, UserError
from edgeprune.progress import SilentProgress
from edgeprune.recipe import Train
from edgeprune.training import MaskCallback, evaluate, fit
from tests.training.tiny_training import make_model, same_state

CODE = """
import torch

def good(model, train, validation, settings, callbacks, seed):
    optimizer = torch.optim.SGD(model.parameters(), lr=settings["learning_rate"], momentum=0.9)
    for step in range(settings["epochs"] * 5):
        x, y = train.batch(torch.randperm(len(train))[:32])
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
        for callback in callbacks:
            callback.on_step_end(model, optimizer, step)

def forgets_masks(model, train, validation, settings, callbacks, seed):
    good(model, train, validation, settings, [], seed)

def raises(model, train, validation, settings, callbacks, seed):
    raise RuntimeError("out of ideas")

def replaces(model, train, validation, settings, callbacks, seed):
    model.fc1 = torch.nn.Linear(128, 6)

def poisons(model, train, validation, settings, callbacks, seed):
    with torch.no_grad():
        model.fc1.bias[3] = float("inf")
"""


class Notes(SilentProgress):
    said = ""

    def note(self, message: str) -> None:
        self.said = message


@pytest.fixture
def spec(tmp_path: Path) -> str:
    path = tmp_path / "mine.py"
    path.write_text(CODE)
    return str(path)


def settings(spec: str, name: str) -> Train:
    return Train(epochs=2, learning_rate=0.02, fit=f"{spec}:{name}")


def mask() -> MaskCallback:
    kept = torch.ones(12, 128, dtype=torch.bool)
    kept[:6] = False
    return MaskCallback({"fc1.weight": kept})


@pytest.mark.parametrize("name", ["good", "forgets_masks"])
def test_masks_hold_whatever_the_users_code_does(splits: Splits, spec: str, name: str) -> None:
    first, second, notes = make_model(), make_model(), Notes()
    history = fit(first, splits, settings(spec, name), seed=3, callbacks=[mask()], progress=notes)
    fit(second, splits, settings(spec, name), seed=3, callbacks=[mask()])
    assert same_state(first, second)
    assert torch.count_nonzero(first.fc1.weight[:6]) == 0
    assert torch.count_nonzero(first.fc1.weight[6:]) == 6 * 128
    assert [epoch.epoch for epoch in history.epochs] == [1]
    assert history.epochs[0].validation_accuracy == evaluate(first, splits.validation).fraction
    warned = rf"{re.escape(spec)}:forgets_masks: parameter 'fc1.weight': \d+ masked entries are not zero; set to zero "
    assert re.match(warned, notes.said) if name == "forgets_masks" else notes.said == ""


def test_failures(splits: Splits, spec: str) -> None:
    def refused(name: str, kind: type[Exception], message: str) -> None:
        with pytest.raises(kind, match=f"^{re.escape(message)}$"):
            fit(make_model(), splits, settings(spec, name), seed=3)

    refused("raises", StageFailure, f"{spec}:raises: failed: RuntimeError: out of ideas")
    refused(
        "replaces",
        UserError,
        f"{spec}:replaces: must train the network in place, but it changed the shape of fc1.bias",
    )
    refused("poisons", StageFailure, f"{spec}:poisons: left values that are not finite in fc1.bias")
    refused("goood", UserError, f"'{spec}:goood': there is no 'goood' in it; did you mean good?")
