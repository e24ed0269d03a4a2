"""Layers that stand still for a round: bit for bit, and without a trace in the optimizer."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from edgeprune.data import Splits
from edgeprune.errors import StageFailure, UserError
from edgeprune.recipe import Data, ModelSource, Prune, Recipe, Retrain, Train
from edgeprune.training import prune_and_retrain
from edgeprune.training import retraining as retraining_module
from edgeprune.training.freeze import Alternation, frozen
from tests.training.tiny_training import make_model, same_state

CONVOLUTIONS = ("conv1.weight", "conv1.bias")
LINEAR = ("fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias")


def recipe(granularity: str = "weight", rounds: int = 2, optimizer: str = "sgd") -> Recipe:
    return Recipe(
        name="tiny",
        description="tiny",
        model=ModelSource(factory="tiny_training:TinyNet", input_shape=[1, 6, 6]),
        data=Data(source="npz", path="blobs.npz", validation=30),
        train=Train(epochs=1),
        prune=Prune.model_validate({"amount": 0.5, "rounds": rounds, "granularity": granularity}),
        retrain=Retrain.model_validate(
            {
                "epochs": 2,
                "batch_size": 16,
                "optimizer": optimizer,
                "learning_rate": 0.02,
                "weight_decay": 1e-2,
                "l1": 1e-4,
                "freeze": "alternate",
            }
        ),
    )


@pytest.mark.parametrize("granularity", ["channel", "weight"])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_what_is_frozen_keeps_every_bit_and_the_rest_learns(
    splits: Splits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, granularity: str, optimizer: str
) -> None:
    changed: list[set[str]] = []
    fit = retraining_module.fit

    def recorded(model: nn.Module, *args: object, **kwargs: object) -> object:
        before = {name: value.detach().clone() for name, value in model.named_parameters()}
        history = fit(model, *args, **kwargs)  # type: ignore[arg-type]
        changed.append({name for name, value in model.named_parameters() if not torch.equal(value, before[name])})
        return history

    monkeypatch.setattr(retraining_module, "fit", recorded)
    model = make_model()
    prune_and_retrain(model, splits, recipe(granularity, 3, optimizer), work=tmp_path)
    others = {"bn1.weight", "bn1.bias"}
    # A bias in front of a batch normalisation has no gradient but rounding, which may be zero: it need not move.
    changed[1] |= {"conv1.bias"}
    assert changed == [{*LINEAR, *others}, {*CONVOLUTIONS, *others}, {*LINEAR, *others}]
    assert all(parameter.requires_grad for parameter in model.parameters())


class Killed(Exception):
    pass


@pytest.mark.parametrize("epoch", [2, 3, 4])
def test_interrupted_rounds_end_in_the_same_weights(
    splits: Splits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, epoch: int
) -> None:
    from edgeprune.training import loop

    whole = make_model()
    prune_and_retrain(whole, splits, recipe(), work=tmp_path / "whole")
    save, seen = loop.save_checkpoint, []

    def stop(*args: object) -> None:
        seen.append(args)
        if len(seen) == epoch:
            raise Killed
        save(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(loop, "save_checkpoint", stop)
    cut = make_model()
    with pytest.raises(Killed):
        prune_and_retrain(cut, splits, recipe(), work=tmp_path / "cut")
    assert all(parameter.requires_grad for parameter in cut.parameters())
    monkeypatch.setattr(loop, "save_checkpoint", save)
    resumed = make_model()
    prune_and_retrain(resumed, splits, recipe(), work=tmp_path / "cut")
    assert same_state(whole, resumed)


def test_alternation() -> None:
    found = Alternation.of(make_model())
    assert found == Alternation(CONVOLUTIONS, LINEAR)
    assert [found.frozen_in(number) for number in (1, 2, 3)] == [CONVOLUTIONS, LINEAR, CONVOLUTIONS]


def test_what_the_user_froze_stays_frozen() -> None:
    model = make_model()
    model.conv1.bias.requires_grad_(False)
    with frozen(model, CONVOLUTIONS):
        assert not model.conv1.weight.requires_grad
    assert model.conv1.weight.requires_grad and not model.conv1.bias.requires_grad


def test_a_change_behind_the_back_is_found() -> None:
    model = make_model()
    message = r"^retrain\.freeze: conv1\.bias was frozen in this round, but the training changed it$"
    with pytest.raises(StageFailure, match=message), frozen(model, CONVOLUTIONS):
        model.conv1.bias.data.add_(1e-7)


@pytest.mark.parametrize(
    ("network", "missing"),
    [(nn.Linear(3, 2), "convolution"), (nn.Conv2d(1, 2, 3), "linear layer")],
)
def test_both_kinds_are_needed(network: nn.Module, missing: str) -> None:
    with pytest.raises(UserError, match=rf"there is no {missing}$"):
        Alternation.of(network)


def test_one_round_cannot_alternate() -> None:
    with pytest.raises(ValueError, match=r"retrain\.freeze 'alternate' needs two rounds or more"):
        recipe(rounds=1)


def test_stale_gradients_do_not_move_it() -> None:
    model = make_model()
    model.conv1.weight.grad = torch.ones_like(model.conv1.weight)
    with frozen(model, CONVOLUTIONS):
        grad: Tensor | None = model.conv1.weight.grad
        assert grad is None
