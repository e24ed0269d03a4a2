"""Learning from a teacher: the loss by its closed form, and the rounds with the dense original as teacher."""

from __future__ import annotations

import copy
import math
from pathlib import Path

import pytest
import torch
from torch import nn

from edgeprune.data import Splits
from edgeprune.errors import UserError
from edgeprune.recipe import Data, ModelSource, Prune, Recipe, Retrain, Train
from edgeprune.training import fit, prune_and_retrain
from edgeprune.training import retraining as retraining_module
from edgeprune.training.distillation import Distillation
from tests.training.tiny_training import make_model, same_state

SETTINGS = Train(epochs=2, batch_size=16, learning_rate=0.05, augment_shift=1)


class Fixed(nn.Module):
    """Answers with the same logits whatever it is asked; in training mode with others."""

    def __init__(self, logits: list[float]) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.tensor([logits]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.logits.expand(len(x), -1) * (2 if self.training else 1)


def test_closed_form() -> None:
    teacher = Fixed([2.0, 0.0])
    assert teacher.training
    logits = torch.tensor([[1.0, -1.0], [0.0, 4.0]], requires_grad=True)
    loss = Distillation(teacher, 0.3, 2.0).loss(torch.zeros(2, 1), logits, torch.tensor(5.0))

    def sigmoid(x: float) -> float:
        return 1 / (1 + math.exp(-x))

    p = sigmoid(1.0)
    divergences = [p * math.log(p / q) + (1 - p) * math.log((1 - p) / (1 - q)) for q in (sigmoid(1.0), sigmoid(-2.0))]
    assert loss.item() == pytest.approx(0.7 * 5.0 + 0.3 * 4.0 * sum(divergences) / 2, rel=1e-6)
    assert teacher.training
    loss.backward()
    assert teacher.logits.grad is None
    # d(T^2 KL)/d logit = T (q - p), and the mean over two samples.
    wanted = 0.3 * 2.0 * (sigmoid(-2.0) - p) / 2
    assert logits.grad is not None
    assert logits.grad.tolist() == [[pytest.approx(0, abs=1e-7)] * 2, pytest.approx([wanted, -wanted], rel=1e-5)]


def test_with_weight_1_only_the_teacher_counts(splits: Splits) -> None:
    """A student that already answers as its teacher does not move, labels or not."""
    teacher = nn.Sequential(nn.Flatten(), nn.Linear(36, 2))
    student = copy.deepcopy(teacher)
    fit(student, splits, SETTINGS, seed=1, distillation=Distillation(teacher, 1.0, 4.0))
    for one, other in zip(student.parameters(), teacher.parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-5)
    fit(student, splits, SETTINGS, seed=1)
    assert not torch.allclose(student[1].weight, teacher[1].weight, atol=1e-2)


def test_a_checkpoint_of_another_teacher_is_not_used(splits: Splits, checkpoint: Path) -> None:
    taught, wanted = make_model(), make_model()
    fit(
        make_model(),
        splits,
        SETTINGS,
        seed=1,
        distillation=Distillation(make_model(8), 0.5, 4.0),
        checkpoint=checkpoint,
    )
    other = Distillation(make_model(9), 0.5, 4.0)
    fit(taught, splits, SETTINGS, seed=1, distillation=other, checkpoint=checkpoint)
    fit(wanted, splits, SETTINGS, seed=1, distillation=other)
    assert same_state(taught, wanted)


def recipe(**retrain: object) -> Recipe:
    return Recipe(
        name="tiny",
        description="tiny",
        model=ModelSource(factory="tiny_training:TinyNet", input_shape=[1, 6, 6]),
        data=Data(source="npz", path="blobs.npz", validation=30),
        train=Train(epochs=1),
        prune=Prune(amount=0.5, rounds=2),
        retrain=Retrain.model_validate({"epochs": 2, "batch_size": 16, "learning_rate": 0.02} | retrain),
    )


class Killed(Exception):
    pass


@pytest.mark.parametrize("epoch", [2, 3, 4])
def test_the_dense_original_teaches_every_round_also_after_a_kill(
    splits: Splits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, epoch: int
) -> None:
    from edgeprune.training import loop

    teachers: list[nn.Module] = []
    fitted = retraining_module.fit

    def recorded(*args: object, distillation: Distillation, **kwargs: object) -> object:
        teachers.append(distillation.teacher)
        return fitted(*args, distillation=distillation, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(retraining_module, "fit", recorded)
    whole, plain = make_model(), make_model()
    prune_and_retrain(whole, splits, recipe(distill=0.7), work=tmp_path / "whole")
    assert len(teachers) == 2 and all(same_state(teacher, make_model()) for teacher in teachers)
    save, seen = loop.save_checkpoint, []

    def stop(*args: object) -> None:
        seen.append(args)
        if len(seen) == epoch:
            raise Killed
        save(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(loop, "save_checkpoint", stop)
    with pytest.raises(Killed):
        prune_and_retrain(make_model(), splits, recipe(distill=0.7), work=tmp_path / "cut")
    monkeypatch.setattr(loop, "save_checkpoint", save)
    resumed = make_model()
    prune_and_retrain(resumed, splits, recipe(distill=0.7), work=tmp_path / "cut")
    assert same_state(whole, resumed)
    monkeypatch.setattr(retraining_module, "fit", fitted)
    prune_and_retrain(plain, splits, recipe(), work=tmp_path / "plain")
    assert not same_state(whole, plain)


def test_keys_that_would_do_nothing(splits: Splits) -> None:
    with pytest.raises(ValueError, match="distill_temperature does nothing when distill is 0; remove it"):
        recipe(distill_temperature=2.0)
    with pytest.raises(ValueError, match="distill does nothing when fit trains; remove it"):
        recipe(distill=0.5, fit="mine:fit")
    mine = SETTINGS.model_copy(update={"fit": "mine:fit"})
    with pytest.raises(UserError, match=r"^train\.fit: the user's code trains without a teacher; remove one$"):
        fit(make_model(), splits, mine, seed=0, distillation=Distillation(make_model(), 0.5, 4.0))
