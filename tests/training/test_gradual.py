"""Pruning while training: the schedule step by step, exact masks, and interruptions."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn
from torch.optim import Optimizer

from edgeprune.data import Splits
from edgeprune.errors import UserError
from edgeprune.pruning import compact
from edgeprune.recipe import Data, ModelSource, Prune, Recipe, Retrain, Train
from edgeprune.training import Callback, evaluate, gradual, prune_and_retrain
from tests.training.tiny_training import TinyNet, make_model, same_state

WEIGHTS = ("conv1.weight", "fc1.weight", "fc2.weight")
TOTAL = 72 + 1536 + 24


def recipe(
    epochs: int = 4, optimizer: str = "sgd", retrain: dict[str, object] | None = None, **prune: object
) -> Recipe:
    return Recipe(
        name="tiny",
        description="tiny",
        seed=4,
        model=ModelSource(factory="tiny_training:TinyNet", input_shape=[1, 6, 6]),
        data=Data(source="npz", path="blobs.npz", validation=30),
        train=Train(epochs=1),
        prune=Prune.model_validate({"amount": 0.75, "rounds": 3, "schedule": "cubic", "every": "epoch", **prune}),
        retrain=Retrain.model_validate(
            {"epochs": epochs, "batch_size": 16, "optimizer": optimizer, "learning_rate": 0.02, "weight_decay": 0.01}
            | (retrain or {})
        ),
    )


class Watch(Callback):
    """Counts what is zero after every step, and looks into the optimizer."""

    def __init__(self) -> None:
        self.dead: list[int] = []
        self.remembered: list[bool] = []

    def on_step_end(self, model: nn.Module, optimizer: Optimizer, step: int) -> None:
        zero = {name: model.get_parameter(name) == 0 for name in WEIGHTS}
        self.dead.append(sum(int(flags.sum()) for flags in zero.values()))
        kept = [optimizer.state[model.get_parameter(name)] for name in WEIGHTS]
        self.remembered.append(
            any(
                bool((value != 0)[zero[name]].any())
                for name, state in zip(WEIGHTS, kept, strict=True)
                for value in state.values()
                if value.shape == zero[name].shape
            )
        )


def watched(monkeypatch: pytest.MonkeyPatch) -> Watch:
    watch, fit = Watch(), gradual.fit

    def spied(*args, callbacks, **kwargs):
        return fit(*args, callbacks=[*callbacks, watch], **kwargs)

    monkeypatch.setattr(gradual, "fit", spied)
    return watch


def expected(*amounts: float) -> list[int]:
    return [sum(int(count * amount + 0.5) for count in (72, 1536, 24)) for amount in amounts]


CUBIC = expected(0.75 * (1 - 8 / 27), 0.75 * (1 - 1 / 27), 0.75)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_weights_by_epochs_follow_the_cubic_schedule(
    splits: Splits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, optimizer: str
) -> None:
    watch = watched(monkeypatch)
    model = make_model()
    result = prune_and_retrain(model, splits, recipe(granularity="weight", optimizer=optimizer), work=tmp_path)
    steps = 6  # 90 samples in batches of 16, the last one of 10
    assert watch.dead == [count for count in CUBIC for _ in range(steps)] + [CUBIC[-1]] * steps
    # The memory of an entry goes with it: right after each pruning nothing of it is left.
    assert [watch.remembered[number] for number in (0, steps, 2 * steps)] == [False] * 3
    assert [(one.number, one.amount, len(one.history.epochs)) for one in result.rounds] == [(3, 0.75, 4)]
    assert result.rounds[0].live == TOTAL - CUBIC[-1] + 8 + 8 + 8 + 12 + 2
    assert result.rounds[0].after_retraining == evaluate(model, splits.validation).fraction


def test_weights_by_steps(splits: Splits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watch = watched(monkeypatch)
    prune_and_retrain(make_model(), splits, recipe(epochs=2, granularity="weight", every=5), work=tmp_path)
    # The second pruning is after 5 steps, the third after 10: masks are held from then on.
    assert watch.dead == [CUBIC[0]] * 4 + [CUBIC[1]] * 5 + [CUBIC[2]] * 3


def test_channels_while_training_leave_a_network_that_compacts_exactly(splits: Splits, tmp_path: Path) -> None:
    model = make_model()
    result = prune_and_retrain(model, splits, recipe(criterion="taylor"), work=tmp_path)
    assert result.plan is not None
    assert {layer.name: layer.after for layer in result.plan.layers} == {"conv1": 2, "fc1": 3, "fc2": 2}
    small = compact(model, result.plan)
    assert sum(parameter.numel() for parameter in small.parameters()) == result.rounds[0].live
    images = splits.test.samples  # type: ignore[attr-defined]
    torch.testing.assert_close(small(images), model(images), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("granularity", ["channel", "weight"])
@pytest.mark.parametrize("killed_in", [1, 2, 3])
def test_an_interrupted_phase_ends_in_the_same_weights(
    splits: Splits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, granularity: str, killed_in: int
) -> None:
    asked = recipe(granularity=granularity, every=7)
    whole = make_model()
    wanted = prune_and_retrain(whole, splits, asked, work=tmp_path / "whole")

    class Killed(Exception):
        pass

    class Kill(Callback):
        def on_epoch_start(self, model: nn.Module, epoch: int) -> None:
            if epoch == killed_in + 1:
                raise Killed

    fit = gradual.fit

    def cut_short(*args, callbacks, **kwargs):
        return fit(*args, callbacks=[*callbacks, Kill()], **kwargs)

    monkeypatch.setattr(gradual, "fit", cut_short)
    monkeypatch.setattr(Kill, "fingerprint", lambda self: "the same")
    with pytest.raises(Killed):
        prune_and_retrain(make_model(), splits, asked, work=tmp_path / "cut")
    assert (tmp_path / "cut" / "epoch.safetensors").exists()
    started: list[int] = []
    monkeypatch.setattr(Kill, "on_epoch_start", lambda self, model, epoch: started.append(epoch))
    resumed = make_model()
    result = prune_and_retrain(resumed, splits, asked, work=tmp_path / "cut")
    assert started == list(range(killed_in + 1, 5))
    assert same_state(whole, resumed)
    assert result.plan == wanted.plan
    assert result.masks.within(wanted.masks) and wanted.masks.within(result.masks)
    again = TinyNet()
    monkeypatch.setattr(gradual, "fit", None)
    again.load_state_dict(make_model().state_dict())
    assert prune_and_retrain(again, splits, asked, work=tmp_path / "cut").rounds == result.rounds


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epochs": 2}, "prune.every: 3 prunings, one per epoch, do not fit into 2 epochs"),
        ({"epochs": 2, "every": 6}, "prune.every: 3 prunings, one every 6 steps, do not fit into 2 epochs of 6 steps"),
    ],
)
def test_prunings_that_do_not_fit_are_refused(
    splits: Splits, tmp_path: Path, settings: dict[str, object], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        prune_and_retrain(make_model(), splits, recipe(**settings), work=tmp_path)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"retrain": {"freeze": "alternate"}}, "retrain.freeze works between rounds, but prune.every is 'epoch'"),
        ({"retrain": {"adjust_dropout": True}}, "retrain.adjust_dropout works between rounds"),
        ({"rounds": 1}, "every does nothing when there is one round; remove it"),
        ({"schedule": "one-shot", "rounds": 1}, "every does nothing when there is one round; remove it"),
    ],
)
def test_keys_that_would_do_nothing(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        recipe(**settings)  # type: ignore[arg-type]
