from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import TensorDataset

from edgeprune.data import ArrayDataset, Splits
from edgeprune.errors import StageFailure, UserError
from edgeprune.progress import SilentProgress
from edgeprune.recipe import Retrain, Train
from edgeprune.training import Callback, MaskCallback, evaluate, fit
from edgeprune.training.randomness import scoped_randomness
from tests.training.tiny_training import TinyNet, make_model, same_state

SGD = Train(epochs=3, batch_size=16, learning_rate=0.05, weight_decay=1e-3, augment_shift=1)
ADAM = Train(epochs=3, batch_size=16, optimizer="adam", learning_rate=0.01, weight_decay=1e-3, decay="one-cycle")


class Killed(Exception):
    pass


class KillAfter(Callback):
    """Ends the process's work as a kill would, somewhere in the middle of an epoch."""

    def __init__(self, steps: int) -> None:
        self.steps = steps

    def on_step_end(self, model: nn.Module, optimizer: torch.optim.Optimizer, step: int) -> None:
        if step == self.steps:
            raise Killed

    def fingerprint(self) -> str:
        return "none of the loop's business"


@pytest.mark.parametrize("settings", [SGD, ADAM], ids=["sgd", "adam"])
def test_same_seed_same_weights_and_the_callers_randomness_is_left_alone(splits: Splits, settings: Train) -> None:
    first, second, third = make_model(), make_model(), make_model()
    before = torch.random.get_rng_state()
    fit(first, splits, settings, seed=5)
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.rand(3)
    fit(second, splits, settings, seed=5)
    fit(third, splits, settings, seed=6)
    assert same_state(first, second)
    assert not same_state(first, third)
    assert not first.training
    assert not torch.are_deterministic_algorithms_enabled()


@pytest.mark.parametrize("settings", [SGD, ADAM], ids=["sgd", "adam"])
@pytest.mark.parametrize("step", [0, 6, 13, 17])
def test_interrupted_run_ends_in_the_same_weights(splits: Splits, settings: Train, step: int, checkpoint: Path) -> None:
    whole, cut = make_model(), make_model()
    wanted = fit(whole, splits, settings, seed=5, callbacks=[KillAfter(-1)])
    with pytest.raises(Killed):
        fit(cut, splits, settings, seed=5, callbacks=[KillAfter(step)], checkpoint=checkpoint)
    resumed = make_model()
    history = fit(resumed, splits, settings, seed=5, callbacks=[KillAfter(-1)], checkpoint=checkpoint)
    assert same_state(whole, resumed)
    assert [(e.epoch, e.loss, e.validation_accuracy) for e in history.epochs] == [
        (e.epoch, e.loss, e.validation_accuracy) for e in wanted.epochs
    ]


def test_finished_run_is_not_trained_again(splits: Splits, checkpoint: Path) -> None:
    first, second = make_model(), make_model()
    history = fit(first, splits, SGD, seed=5, checkpoint=checkpoint)
    written = checkpoint.stat().st_mtime_ns
    assert fit(second, splits, SGD, seed=5, checkpoint=checkpoint) == history
    assert same_state(first, second)
    assert checkpoint.stat().st_mtime_ns == written


@pytest.mark.parametrize("other", ["seed", "settings", "weights", "masks", "damage"])
def test_checkpoint_of_something_else_is_not_used(splits: Splits, checkpoint: Path, other: str) -> None:
    class Notes(SilentProgress):
        said = ""

        def note(self, message: str) -> None:
            self.said = message

    fit(make_model(), splits, SGD, seed=5, checkpoint=checkpoint)
    if other == "damage":
        checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    seed = 6 if other == "seed" else 5
    settings = SGD.model_copy(update={"learning_rate": 0.01}) if other == "settings" else SGD
    callbacks = [MaskCallback({"fc2.weight": torch.eye(2, 12, dtype=torch.bool)})] if other == "masks" else []
    start = 1 if other == "weights" else 0
    fresh, again, notes = make_model(start), make_model(start), Notes()
    fit(fresh, splits, settings, seed=seed, callbacks=callbacks)
    fit(again, splits, settings, seed=seed, callbacks=callbacks, checkpoint=checkpoint, progress=notes)
    assert same_state(fresh, again)
    assert notes.said == f"{checkpoint}: belongs to other settings, data or weights; train starts afresh"


def test_learns_and_reports_what_evaluate_measures(splits: Splits) -> None:
    model = make_model()
    history = fit(model, splits, ADAM, seed=0, epochs=6)
    assert len(history.epochs) == 6
    assert history.epochs[-1].validation_accuracy == evaluate(model, splits.validation).fraction >= 0.9


def test_short_last_batch_weighs_by_its_samples() -> None:
    class Fixed(nn.Module):
        """Logits that do not depend on training: the rate below moves them by less than rounding."""

        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.ones(1))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.cat([x * self.scale, -x], 1)

    x = torch.linspace(-2, 2, 7)[:, None]
    data = ArrayDataset(x, torch.tensor([0, 1, 0, 1, 0, 1, 0]))
    settings = Train(epochs=1, batch_size=4, learning_rate=1e-12, momentum=0.0)
    splits = Splits(data, data, data, ("0", "1"), (1,), "fixed")
    epoch = fit(Fixed(), splits, settings, seed=0).epochs[0]
    logits = torch.cat([x, -x], 1)
    assert epoch.loss == pytest.approx(float(F.cross_entropy(logits, data.labels)), rel=1e-6)
    assert epoch.train_accuracy == float((logits.argmax(1) == data.labels).sum()) / 7
    measured = evaluate(Fixed(), data, batch_size=4)
    assert measured.loss == pytest.approx(epoch.loss, rel=1e-6)
    assert measured.total == 7


def test_user_dataset_gives_the_same_weights_as_arrays(splits: Splits) -> None:
    arrays = splits.train
    assert isinstance(arrays, ArrayDataset)
    items = TensorDataset(arrays.samples, arrays.labels)
    lazy = Splits(items, splits.validation, splits.test, splits.classes, splits.input_shape, splits.source)
    first, second = make_model(), make_model()
    fit(first, splits, SGD, seed=5)
    fit(second, lazy, SGD, seed=5)
    assert same_state(first, second)


def test_masks_hold_under_momentum_and_weight_decay(splits: Splits) -> None:
    seen: list[int] = []

    class Watch(Callback):
        def on_step_end(self, model: nn.Module, optimizer: torch.optim.Optimizer, step: int) -> None:
            assert isinstance(model, TinyNet)
            seen.append(
                int(torch.count_nonzero(model.fc1.weight[::2])) + int(torch.count_nonzero(model.conv1.weight[3]))
            )

    fc1 = torch.ones(12, 128, dtype=torch.bool)
    fc1[::2] = False
    conv1 = torch.ones(8, 1, 3, 3, dtype=torch.bool)
    conv1[3] = False
    for settings in (SGD, ADAM):
        model = make_model()
        before = model.fc1.weight.detach().clone()
        fit(
            model,
            splits,
            settings,
            seed=1,
            callbacks=[MaskCallback({"fc1.weight": fc1, "conv1.weight": conv1}), Watch()],
        )
        assert torch.count_nonzero(model.fc1.weight[1::2]) == 6 * 128
        assert not torch.equal(model.fc1.weight[1::2], before[1::2])
    assert seen == [0] * 36


def test_masks_that_do_not_fit() -> None:
    with pytest.raises(TypeError, match=r"^mask of fc1\.weight: must be bool, not torch\.float32$"):
        MaskCallback({"fc1.weight": torch.ones(12, 128)})
    ones = torch.ones(3, dtype=torch.bool)
    with pytest.raises(UserError, match=r"^parameter 'fc9' with a mask of \(3,\) is missing in the network$"):
        MaskCallback({"fc9": ones}).apply(make_model())
    with pytest.raises(
        UserError, match=r"^parameter 'fc2\.bias' with a mask of \(3,\) is of shape \(2,\) in the network$"
    ):
        MaskCallback({"fc2.bias": ones}).apply(make_model())
    model = make_model()
    with pytest.raises(StageFailure, match=r"^parameter 'fc2\.bias': 2 masked entries are not zero$"):
        MaskCallback({"fc2.bias": torch.zeros(2, dtype=torch.bool)}).verify(model)


def test_masked_values_that_are_not_finite_become_zero() -> None:
    model = make_model()
    with torch.no_grad():
        model.fc2.bias.fill_(float("nan"))
    MaskCallback({"fc2.bias": torch.zeros(2, dtype=torch.bool)}).apply(model)
    assert model.fc2.bias.tolist() == [0.0, 0.0]


@pytest.mark.parametrize(("settings", "table"), [(SGD, "train"), (Retrain(**SGD.model_dump()), "retrain")])
def test_loss_that_is_not_finite(splits: Splits, settings: Train, table: str) -> None:
    class Poison(Callback):
        def on_step_end(self, model: nn.Module, optimizer: torch.optim.Optimizer, step: int) -> None:
            if step == 7:
                with torch.no_grad():
                    next(model.parameters()).fill_(float("nan"))

    wanted = (
        f"{table}: the loss is nan in epoch 2, step 3 of 6; lower {table}.learning_rate (now 0.05) "
        "or look for values that are not finite in the data"
    )
    with pytest.raises(StageFailure, match=f"^{re.escape(wanted)}$"):
        fit(make_model(), splits, settings, seed=0, callbacks=[Poison()])


def refused(model: nn.Module, splits: Splits, message: str, settings: Train = SGD) -> None:
    with pytest.raises(UserError, match=f"^{re.escape(message)}"):
        fit(model, splits, settings, seed=0)


def test_networks_and_data_that_do_not_belong_together(splits: Splits) -> None:
    class Pair(nn.Module):
        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return x, x

    refused(
        nn.Sequential(nn.Flatten(), nn.Linear(4, 2)),
        splits,
        "model: a batch of [2, 1, 6, 6] (model.input_shape) cannot be run: mat1 and mat2 shapes",
    )
    refused(
        nn.Conv2d(1, 2, 3),
        splits,
        "model: must return logits of [N, classes]; for a batch of 2 it returned [2, 2, 4, 4]",
    )
    refused(Pair(), splits, "model: must return logits of [N, classes]; for a batch of 2 it returned tuple")
    one = nn.Sequential(nn.Flatten(), nn.Linear(36, 1))
    refused(one, splits, "model: gives 1 outputs, but the data have 2 classes")
    unnamed = Splits(splits.train, splits.validation, splits.test, (), (1, 6, 6), "unnamed")
    refused(one, unnamed, "data: label 1 has no output: the network gives 1")
    frozen = make_model().requires_grad_(False)
    refused(frozen, splits, "the network has no parameter to train: requires_grad is False for all of them")
    flat = ArrayDataset(torch.zeros(9, 36), torch.zeros(9, dtype=torch.int64))
    refused(
        nn.Linear(36, 2),
        Splits(flat, flat, flat, ("0", "1"), (36,), "flat"),
        "train.augment_shift: only images can be shifted, not samples of (36,)",
    )


def test_scoped_randomness_restores_numpy_and_python() -> None:
    import random

    import numpy as np

    np.random.seed(1)
    random.seed(1)
    wanted = np.random.rand(), random.random()
    np.random.seed(1)
    random.seed(1)
    with scoped_randomness(9):
        inside = np.random.rand(), random.random()
    assert (np.random.rand(), random.random()) == wanted != inside
