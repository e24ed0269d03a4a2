"""What the weights that live start retraining from, and that the masks stay as they were chosen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from edgeprune.data import Splits
from edgeprune.errors import UserError
from edgeprune.pipeline.run import run_pipeline
from edgeprune.pipeline.sequence import Run
from edgeprune.progress import SilentProgress
from edgeprune.recipe import Recipe
from edgeprune.stages.network import build_network
from edgeprune.stages.prune import starting_values
from edgeprune.training import fit, prune_and_retrain
from edgeprune.training.randomness import derive_seed
from tests.training.tiny_training import TinyNet, blobs, make_model, same_state

NETWORK = f"{Path(__file__).parent / 'tiny_training.py'}:TinyNet"


def recipe(path: str = "blobs.npz", train: dict[str, Any] | None = None, **tables: Any) -> Recipe:
    return Recipe.model_validate(
        {
            "name": "tiny",
            "description": "tiny",
            "seed": 4,
            "model": {"factory": NETWORK, "input_shape": [1, 6, 6]},
            "data": {"source": "npz", "path": path, "validation": 30},
            "train": {"epochs": 3, "batch_size": 16, "decay": "constant"} | (train or {}),
            "prune": {"amount": 0.5, "rounds": 2} | tables.get("prune", {}),
            "retrain": {"batch_size": 16, "learning_rate": 0.02} | tables["retrain"],
        }
    )


def fresh_state(seed: int) -> dict[str, Tensor]:
    return make_model(seed).state_dict()


def pruned(splits: Splits, settings: Recipe, work: Path, start: Any = None) -> tuple[TinyNet, Any]:
    model = make_model()
    return model, prune_and_retrain(model, splits, settings, work=work, start=start)


@pytest.mark.parametrize("granularity", ["channel", "weight"])
def test_survivors_are_set_back_and_the_masks_stay(splits: Splits, tmp_path: Path, granularity: str) -> None:
    prune = {"granularity": granularity, "schedule": "one-shot", "rounds": 1}
    plain = recipe(prune=prune, retrain={"epochs": 0})
    back = recipe(prune=prune, retrain={"epochs": 0, "from": "rewind"})
    _, wanted = pruned(splits, plain, tmp_path / "plain")
    model, result = pruned(splits, back, tmp_path / "back", lambda number: fresh_state(7 + number))
    assert result.masks.keys() == wanted.masks.keys()
    for name, value in fresh_state(8).items():
        mask = wanted.masks.get(name)
        expected = value if mask is None else value * mask
        assert torch.equal(model.state_dict()[name], expected), name
    assert all(torch.equal(result.masks[name], wanted.masks[name]) for name in wanted.masks)
    assert result.rounds[0].before_retraining == wanted.rounds[0].before_retraining


class Killed(Exception):
    pass


@pytest.mark.parametrize("granularity", ["channel", "weight"])
@pytest.mark.parametrize("epoch", [1, 2, 3, 4])
def test_interrupted_rounds_end_in_the_same_weights(
    splits: Splits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, granularity: str, epoch: int
) -> None:
    from edgeprune.training import loop

    settings = recipe(prune={"granularity": granularity}, retrain={"epochs": 2, "from": "reinit"})

    def start(number: int) -> dict[str, Tensor]:
        return fresh_state(number)

    whole, _ = pruned(splits, settings, tmp_path / "whole", start)
    save, seen = loop.save_checkpoint, []

    def stop(*args: object) -> None:
        seen.append(args)
        if len(seen) == epoch:
            raise Killed
        save(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(loop, "save_checkpoint", stop)
    with pytest.raises(Killed):
        pruned(splits, settings, tmp_path / "cut", start)
    monkeypatch.setattr(loop, "save_checkpoint", save)
    resumed, _ = pruned(splits, settings, tmp_path / "cut", start)
    assert same_state(whole, resumed)


def test_rounds_with_other_starting_values_are_not_used(splits: Splits, tmp_path: Path) -> None:
    settings = recipe(retrain={"epochs": 1, "from": "rewind"})
    pruned(splits, settings, tmp_path, lambda number: fresh_state(1))
    changed, _ = pruned(splits, settings, tmp_path, lambda number: fresh_state(2))
    wanted, _ = pruned(splits, settings, tmp_path / "fresh", lambda number: fresh_state(2))
    assert same_state(changed, wanted)


def test_fresh_values_are_those_of_the_factory_with_a_seed_of_the_round() -> None:
    settings = recipe(retrain={"epochs": 1, "from": "reinit"})
    start = starting_values(settings, Path("nowhere"))
    assert start is not None
    one, other = start(1), start(2)
    wanted = make_model(derive_seed(4, "reinit", 1)).state_dict()
    assert all(torch.equal(one[name], wanted[name]) for name in wanted)
    assert not torch.equal(one["fc1.weight"], other["fc1.weight"])
    assert starting_values(recipe(retrain={"epochs": 1}), Path("nowhere")) is None


def test_a_factory_that_knows_no_seed_cannot_draw_afresh(tmp_path: Path) -> None:
    source = tmp_path / "fixed.py"
    source.write_text(
        "import torch\ndef fixed():\n    torch.manual_seed(1)\n    return torch.nn.Linear(3, 2)\n", encoding="utf-8"
    )
    settings = recipe(retrain={"epochs": 1, "from": "reinit"})
    settings = settings.model_copy(
        update={"model": settings.model.model_copy(update={"factory": f"{source}:fixed", "input_shape": [3]})}
    )
    start = starting_values(settings, tmp_path)
    assert start is not None
    with pytest.raises(
        UserError, match=r"^retrain\.from: .*fixed\.py:fixed returns the same weights whatever the seed"
    ):
        start(1)


def test_starting_values_and_the_recipe_belong_together(splits: Splits, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^retrain\.from: 'reinit' needs the values to start from$"):
        pruned(splits, recipe(retrain={"epochs": 1, "from": "reinit"}), tmp_path)
    with pytest.raises(UserError, match=r"^retrain\.from: 'survivors' starts from what survived, not other values$"):
        pruned(splits, recipe(retrain={"epochs": 1}), tmp_path, fresh_state)


def test_scratch_is_trained_like_the_dense_network() -> None:
    train = {"epochs": 7, "learning_rate": 0.3}
    whole = recipe(train=train, retrain={"from": "scratch", "learning_rate": 0.3})
    assert (whole.retrain.epochs, whole.retrain.learning_rate) == (7, 0.3)
    raw = whole.model_dump()
    del raw["retrain"]["epochs"], raw["retrain"]["learning_rate"]
    assert Recipe.model_validate(raw) == whole
    assert Recipe.model_validate(whole.model_dump()) == whole


@pytest.mark.parametrize(
    ("retrain", "message"),
    [
        ({"from": "scratch", "epochs": 2}, "retrain.epochs is train.epochs when retrain.from is 'scratch'; remove it"),
        ({"from": "scratch"}, "retrain.learning_rate is train.learning_rate when retrain.from is 'scratch'; remove it"),
        ({"from": "scratch", "final_epochs": 2}, "final_epochs does nothing when from is 'scratch'"),
        ({"epochs": 1, "rewind_epoch": 1}, "rewind_epoch does nothing when from is 'survivors'; remove it"),
        ({"epochs": 1, "from": "rewind", "rewind_epoch": 4}, "retrain.rewind_epoch is 4, but train.epochs is 3"),
    ],
)
def test_keys_that_would_do_nothing(retrain: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        recipe(retrain=retrain)


@pytest.mark.parametrize("epoch", [0, 2])
def test_the_stages_keep_the_epoch_and_go_back_to_it(tmp_path: Path, epoch: int) -> None:
    data = blobs(90, 1)
    np.savez(tmp_path / "blobs.npz", x=data.samples.numpy(), y=data.labels.numpy())
    settings = recipe(str(tmp_path / "blobs.npz"), retrain={"epochs": 0, "from": "rewind", "rewind_epoch": epoch})
    root = tmp_path / "run"
    results = run_pipeline(Run(settings, (), root), SilentProgress(), until="prune")
    assert [result.ran for result in results] == [True, True]
    kept = load_file(root / "train" / f"epoch-{epoch}.safetensors")
    assert all(torch.equal(kept[name], value) for name, value in _after(settings, epoch).items())
    masked, masks = (load_file(root / "prune" / f"{name}.safetensors") for name in ("masked", "masks"))
    for name, value in kept.items():
        assert torch.equal(masked[name], value * masks[name] if name in masks else value), name
    again = run_pipeline(Run(settings, (), root), SilentProgress(), until="prune")
    assert [result.ran for result in again] == [False, False]
    plain = settings.model_copy(update={"retrain": recipe(retrain={"epochs": 0}).retrain})
    run_pipeline(Run(plain, (), root), SilentProgress(), until="prune")
    assert sorted(path.name for path in (root / "train").glob("*.safetensors")) == ["model.safetensors"]


def _after(settings: Recipe, epoch: int) -> dict[str, Tensor]:
    """Return the dense weights after an epoch; with a constant rate a shorter training is the start of a longer."""
    from edgeprune.data import load_splits

    model = build_network(settings.model, settings.seed)
    if epoch:
        splits = load_splits(settings.data, settings.seed, (1, 6, 6), SilentProgress())
        fit(model, splits, settings.train, seed=settings.seed, epochs=epoch)
    return model.state_dict()
