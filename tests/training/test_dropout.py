"""Dropout rates that follow the capacity left, against D_r = D_o * sqrt(C_ir / C_io)."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from edgeprune.data import Splits
from edgeprune.errors import UserError
from edgeprune.progress import SilentProgress
from edgeprune.recipe import Data, ModelSource, Prune, Recipe, Retrain, Train
from edgeprune.training import prune_and_retrain
from edgeprune.training import retraining as retraining_module
from edgeprune.training.dropout import Dropout, dropout_rates, find_dropouts
from tests.training.tiny_training import make_model


class Dropping(nn.Module):
    """Dropouts before a convolution, before a linear layer, before two at once, and at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 4, 3)
        self.drop1 = nn.Dropout2d(0.1)
        self.conv2 = nn.Conv2d(4, 6, 3)
        self.drop2 = nn.Dropout(0.5, inplace=True)
        self.fc1 = nn.Linear(6 * 4, 10)
        self.drop3 = nn.Dropout(0.4)
        self.left = nn.Linear(10, 2)
        self.right = nn.Linear(10, 2)
        self.last = nn.Dropout(0.2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.drop1(torch.relu_(self.conv1(x)))
        x = self.drop2(torch.relu(self.conv2(x)).flatten(1))
        x = self.drop3(torch.relu(self.fc1(x)))
        return self.last(self.left(x) + self.right(input=x))


def dropping() -> Dropping:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Dropping()


def recipe(granularity: str, **prune: object) -> Recipe:
    return Recipe(
        name="tiny",
        description="tiny",
        model=ModelSource(factory="test_dropout:Dropping", input_shape=[1, 6, 6]),
        data=Data(source="npz", path="blobs.npz", validation=30),
        train=Train(epochs=1),
        prune=Prune.model_validate({"granularity": granularity, "amount": 0.75, "rounds": 2} | prune),
        retrain=Retrain(epochs=1, batch_size=16, learning_rate=0.02, adjust_dropout=True),
    )


def test_the_layers_that_read_a_dropout() -> None:
    model = dropping().requires_grad_(False)
    assert find_dropouts(model, torch.zeros(1, 1, 6, 6)) == (
        Dropout("drop1", 0.1, ("conv2.weight",), 6 * 4 * 9),
        Dropout("drop2", 0.5, ("fc1.weight",), 10 * 24),
        Dropout("drop3", 0.4, ("left.weight", "right.weight"), 40),
        Dropout("last", 0.2, (), 0),
    )
    assert not any(parameter.requires_grad for parameter in model.parameters())
    assert model.training and not any(module._forward_hooks for module in model.modules())


def test_closed_form() -> None:
    dropout = Dropout("drop", 0.5, ("a", "b"), 400)
    assert dropout.adjusted({"a": 30, "b": 6, "c": 1000}) == 0.5 * math.sqrt(36 / 400) == pytest.approx(0.15)
    assert dropout.adjusted({"a": 300, "b": 100}) == 0.5


def test_a_dropout_before_attention_is_read_by_its_projections() -> None:
    class Attending(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.drop = nn.Dropout(0.3)
            self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
            self.head = nn.Linear(8, 2)

        def forward(self, x: Tensor) -> Tensor:
            x = self.drop(x)
            return self.head(self.attention(x, x, x, need_weights=False)[0].mean(1))

    found = find_dropouts(Attending(), torch.zeros(1, 5, 8))
    assert found == (Dropout("drop", 0.3, ("attention.in_proj_weight",), 24 * 8),)


@pytest.mark.parametrize("granularity", ["weight", "channel"])
def test_rates_of_every_round(
    splits: Splits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, granularity: str
) -> None:
    class Notes(SilentProgress):
        said: list[str] = []

        def note(self, message: str) -> None:
            self.said.append(message)

    seen: list[list[float]] = []
    fit = retraining_module.fit

    def recorded(model: nn.Module, *args: object, **kwargs: object) -> object:
        seen.append([model.get_submodule(name).p for name in ("drop1", "drop2", "drop3", "last")])
        return fit(model, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(retraining_module, "fit", recorded)
    model, notes = dropping(), Notes()
    prune_and_retrain(model, splits, recipe(granularity), work=tmp_path, progress=notes)
    # Half of everything goes in the first round, half of the rest in the second. Of whole channels 4, 6 and 10 become
    # 2, 3 and 5, then 1, 2 and 3 (to the nearest, ties up), and a layer keeps the product of both sides.
    shares = {
        "weight": [(1 / 2, 1 / 2, 1 / 2), (1 / 4, 1 / 4, 1 / 4)],
        "channel": [(1 / 4, 1 / 4, 1 / 2), (2 / 24, 6 / 60, 3 / 10)],
    }[granularity]
    for rates, (conv2, fc1, heads) in zip(seen, shares, strict=True):
        wanted = [0.1 * math.sqrt(conv2), 0.5 * math.sqrt(fc1), 0.4 * math.sqrt(heads), 0.2]
        assert rates == pytest.approx(wanted, rel=1e-12)
    assert [model.get_submodule(name).p for name in ("drop1", "drop2", "drop3", "last")] == [0.1, 0.5, 0.4, 0.2]
    assert "dropout last: 0.2000 -> no layer with weights reads it, so it stays" in notes.said


def test_rates_are_put_back_after_a_failure() -> None:
    model = dropping()
    with pytest.raises(KeyError), dropout_rates(model, {"drop2": 0.25}):
        assert model.drop2.p == 0.25
        raise KeyError
    assert model.drop2.p == 0.5


def test_a_network_without_dropout_modules_is_refused() -> None:
    with pytest.raises(UserError, match=r"^retrain\.adjust_dropout: the network has no nn\.Dropout module"):
        find_dropouts(make_model(), torch.zeros(1, 1, 6, 6))
