from __future__ import annotations

from pathlib import Path

import pytest
import torch

from edgeprune.data import Splits
from edgeprune.progress import SilentProgress
from edgeprune.pruning import Evidence, compact, make_plan, plan_masks
from edgeprune.pruning.nothing import NothingToRemove
from edgeprune.recipe import Data, ModelSource, Override, Prune, Recipe, Retrain, Train
from edgeprune.training import RoundsResult, evaluate, prune_and_retrain
from edgeprune.training import selection as selection_module
from edgeprune.training.scatter import scatter
from tests.training.tiny_training import TinyNet, make_model, same_state


def recipe(epochs: int = 1, final: int | None = 2, **prune: object) -> Recipe:
    return Recipe(
        name="tiny",
        description="tiny",
        seed=4,
        model=ModelSource(factory="tiny_training:TinyNet", input_shape=[1, 6, 6]),
        data=Data(source="npz", path="blobs.npz", validation=30),
        train=Train(epochs=1),
        prune=Prune.model_validate({"amount": 0.5, "rounds": 2, **prune}),
        retrain=Retrain(epochs=epochs, final_epochs=final, batch_size=16, learning_rate=0.02),
    )


def result_of(splits: Splits, settings: Recipe, work: Path) -> tuple[TinyNet, RoundsResult]:
    model = make_model()
    return model, prune_and_retrain(model, splits, settings, work=work)


def test_channel_rounds(splits: Splits, tmp_path: Path) -> None:
    model, result = result_of(splits, recipe(amount=0.75), tmp_path)
    assert [round(one.amount, 9) for one in result.rounds] == [0.5, 0.75]
    assert [len(one.history.epochs) for one in result.rounds] == [1, 2]
    plan = result.plan
    assert plan is not None
    assert {layer.name: (layer.before, layer.after) for layer in plan.layers if layer.after < layer.before} == {
        "conv1": (8, 2),
        "fc1": (12, 3),
    }
    dead = [index for index in range(8) if index not in plan.kept["conv1.weight"][0]]
    assert torch.count_nonzero(model.conv1.weight[dead]) == torch.count_nonzero(model.bn1.bias[dead]) == 0
    small = compact(model, plan)
    assert (
        [one.live for one in result.rounds][-1] == sum(p.numel() for p in small.parameters()) == plan.parameters_after
    )
    assert result.rounds[-1].after_retraining == evaluate(model, splits.validation).fraction
    assert same_state(model, _loaded(result))
    assert not model.training


def _loaded(result: RoundsResult) -> TinyNet:
    model = make_model(9)
    model.load_state_dict(result.state)
    return model


def test_a_channel_gone_stays_gone(splits: Splits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plans = []

    def recorded(*args: object, **kwargs: object):
        plans.append(make_plan(*args, **kwargs))  # type: ignore[arg-type]
        return plans[-1]

    monkeypatch.setattr(selection_module, "make_plan", recorded)
    result_of(splits, recipe(amount=0.75, rounds=3), tmp_path)
    kept = [set(plan.kept["fc1.weight"][0]) for plan in plans]
    assert [len(one) for one in kept] == [8, 5, 3]
    assert kept[0] > kept[1] > kept[2]


def test_overrides_grow_with_the_rounds(splits: Splits, tmp_path: Path) -> None:
    override = [Override(pattern="conv1", amount=0.25)]
    _, result = result_of(splits, recipe(amount=0.75, override=override), tmp_path)
    assert result.plan is not None
    assert {layer.name: layer.after for layer in result.plan.layers}["conv1"] == 6


def test_one_shot_is_one_round_of_the_final_epochs(splits: Splits, tmp_path: Path) -> None:
    _, result = result_of(splits, recipe(schedule="one-shot", rounds=1), tmp_path)
    assert [(one.amount, len(one.history.epochs)) for one in result.rounds] == [(0.5, 2)]


def test_single_weights(splits: Splits, tmp_path: Path) -> None:
    model, result = result_of(splits, recipe(granularity="weight", amount=0.75), tmp_path)
    assert result.plan is None
    weights = {"conv1.weight": 72, "fc1.weight": 1536, "fc2.weight": 24}
    assert {name: int(torch.count_nonzero(model.get_parameter(name))) for name in weights} == {
        name: count // 4 for name, count in weights.items()
    }
    assert {name: int(result.masks[name].sum()) for name in weights} == {n: c // 4 for n, c in weights.items()}
    assert result.rounds[-1].live == (72 + 1536 + 24) // 4 + 8 + 8 + 8 + 12 + 2


def test_thresholds_from_a_sensitivity_scan_meet_the_total(splits: Splits, tmp_path: Path) -> None:
    asked = recipe(granularity="weight", criterion="han", amount=0.75)
    model, result = result_of(splits, asked, tmp_path / "one")
    again, _ = result_of(splits, asked, tmp_path / "other")
    assert same_state(model, again)
    total = 72 + 1536 + 24
    assert [one.live - (8 + 8 + 8 + 12 + 2) for one in result.rounds] == [total // 2, total // 4]
    assert sum(int(torch.count_nonzero(model.get_parameter(name))) for name in result.masks) == total // 4


@pytest.mark.parametrize("criterion", ["taylor", "activation-mean", "apoz"])
def test_criteria_that_look_at_data_get_them(splits: Splits, tmp_path: Path, criterion: str) -> None:
    _, result = result_of(splits, recipe(criterion=criterion), tmp_path)
    assert result.plan is not None
    assert {layer.name: layer.after for layer in result.plan.layers if layer.after < layer.before} == {
        "conv1": 4,
        "fc1": 6,
    }


class Killed(Exception):
    pass


@pytest.mark.parametrize("granularity", ["channel", "weight"])
@pytest.mark.parametrize("epoch", [1, 2, 3, 4])
def test_interrupted_rounds_end_in_the_same_weights(
    splits: Splits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, granularity: str, epoch: int
) -> None:
    """Stop while the given epoch's checkpoint is written (of two per round), then run again."""
    from edgeprune.training import loop

    settings = recipe(epochs=2, granularity=granularity)
    whole, wanted = result_of(splits, settings, tmp_path / "whole")
    save, seen = loop.save_checkpoint, []

    def stop(*args: object) -> None:
        seen.append(args)
        if len(seen) == epoch:
            raise Killed
        save(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(loop, "save_checkpoint", stop)
    with pytest.raises(Killed):
        result_of(splits, settings, tmp_path / "cut")
    monkeypatch.setattr(loop, "save_checkpoint", save)
    resumed, result = result_of(splits, settings, tmp_path / "cut")
    assert same_state(whole, resumed)
    assert result.plan == wanted.plan
    assert [one.before_retraining for one in result.rounds] == [one.before_retraining for one in wanted.rounds]


def test_finished_rounds_are_not_done_again(splits: Splits, tmp_path: Path) -> None:
    first, result = result_of(splits, recipe(), tmp_path)
    written = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    second, again = result_of(splits, recipe(), tmp_path)
    assert sorted(written) == ["round-1.safetensors", "round-2.safetensors"]
    assert {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == written
    assert same_state(first, second)
    assert again.rounds == result.rounds and again.plan == result.plan


def test_rounds_of_another_recipe_are_not_used(splits: Splits, tmp_path: Path) -> None:
    result_of(splits, recipe(), tmp_path)
    changed, _ = result_of(splits, recipe(final=1), tmp_path)
    fresh, _ = result_of(splits, recipe(final=1), tmp_path / "fresh")
    assert same_state(changed, fresh)


def test_scatter_is_the_inverse_of_compact(splits: Splits) -> None:
    model = make_model().eval()
    settings = Prune(amount=0.5)
    plan = make_plan(model, (torch.zeros(1, 1, 6, 6),), settings)
    plan_masks(model, plan).apply(model)
    small = compact(model, plan)
    with torch.no_grad():
        for tensor in small.state_dict().values():
            if tensor.is_floating_point():
                tensor.mul_(1.5).add_(0.25)
    scatter(small, model, plan)
    again = compact(model, plan)
    assert same_state(small, again)
    for name, mask in plan_masks(model, plan).items():
        assert torch.count_nonzero(model.get_parameter(name)[~mask]) == 0


class Notes(SilentProgress):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def note(self, text: str) -> None:
        self.lines.append(text)


def test_a_round_too_small_to_remove_anything_is_skipped_with_a_note(splits: Splits, tmp_path: Path) -> None:
    # 8 and 12 channels in multiples of 4: a fifth of them is nothing yet, half of them is.
    asked = recipe(amount=0.6, rounds=4, round_to=4)
    notes = Notes()
    result = prune_and_retrain(make_model(), splits, asked, work=tmp_path, progress=notes)
    assert [one.number for one in result.rounds] == [2, 3, 4]
    too_small = "the amount is too small to remove a channel anywhere; ask for more, or lower round_to"
    assert [line for line in notes.lines if "skipped" in line] == [f"round 1/4: skipped: prune: {too_small}"]
    assert result.plan is not None
    assert {layer.name: layer.after for layer in result.plan.layers} == {"conv1": 4, "fc1": 4, "fc2": 2}
    again = prune_and_retrain(make_model(), splits, asked, work=tmp_path)
    assert again.rounds == result.rounds


def test_the_last_round_must_remove_something(splits: Splits, tmp_path: Path) -> None:
    with pytest.raises(NothingToRemove, match="the amount is too small to remove a channel anywhere"):
        result_of(splits, recipe(amount=0.04, rounds=3), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_criterion_and_a_schedule_given_as_functions(splits: Splits, tmp_path: Path) -> None:
    def last_stays(evidence: Evidence) -> list[float]:
        assert len(evidence.calibration) == 1  # 90 training samples, with labels
        return [float(number) for number in range(evidence.coupling.set_count)]

    def late(*, completed: int, rounds: int, amount: float) -> float:
        return amount if completed == rounds else 0.25

    model = make_model()
    result = prune_and_retrain(
        model,
        splits,
        recipe(),
        work=tmp_path,
        criterion=last_stays,
        schedule=late,  # type: ignore[arg-type]
    )
    assert [one.amount for one in result.rounds] == [0.25, 0.5]
    assert result.plan is not None
    assert result.plan.kept["conv1.weight"][0] == (4, 5, 6, 7)
    smallest = prune_and_retrain(
        make_model(),
        splits,
        recipe(epochs=0, final=0, granularity="weight"),
        work=tmp_path / "weights",
        criterion=lambda evidence: {name: -value.abs() for name, value in evidence.parameters.items()},
    )
    first = make_model().fc2.weight.detach().abs()
    live = smallest.masks["fc2.weight"]
    assert float(first[live].max()) < float(first[~live].min())
