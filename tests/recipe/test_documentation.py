"""docs/recipes.md names every key a recipe may have, and no other; its examples work."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import UnionType
from typing import Any, TypeGuard, get_args

import pytest
import torch
from pydantic import BaseModel
from torch import nn

from edgeprune.pruning import make_plan, weight_masks
from edgeprune.pruning.schedule import planned_amounts
from edgeprune.recipe import Prune, Recipe, Retrain
from edgeprune.training import fit, prune_and_retrain
from tests.training.test_rounds import recipe
from tests.training.tiny_training import make_model, make_splits

TABLES = ("model", "data", "train", "prune", "retrain")
PAGE = Path(__file__).parents[2] / "docs" / "recipes.md"


def alternatives(annotation: object) -> tuple[object, ...]:
    return get_args(annotation) if isinstance(annotation, UnionType) else (annotation,)


def is_table(annotation: object) -> TypeGuard[type[BaseModel]]:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def keys(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        tables = [part for part in alternatives(field.annotation) if is_table(part)]
        if tables:
            yield from keys(tables[0], f"{prefix}{name}.")
        else:
            yield f"{prefix}{field.alias or name}"


def test_every_key_is_documented_and_every_documented_key_exists() -> None:
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    documented = {key for row in rows for key in re.findall(r"`([a-z_]+(?:\.[a-z0-9_]+)?)`", row.split(" | ")[0])}
    retrain = next(row for row in rows if row.startswith("| **`[retrain]`**"))
    documented |= set(re.findall(r"`(retrain\.[a-z0-9_]+)`", retrain))
    assert documented == set(keys(Recipe))


def recipes() -> list[dict[str, Any]]:
    """Return the page's TOML examples: the first as it is, the others' tables in its place."""
    blocks = re.findall(r"```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    first, *others = [tomllib.loads(block) for block in blocks]
    return [first, *(first | other for other in others)]


@pytest.mark.parametrize("place", range(len(recipes())))
def test_every_example_is_a_recipe(place: int) -> None:
    found = Recipe.model_validate(recipes()[place])
    assert Recipe.model_validate(found.model_dump(mode="json")) == found


def test_every_key_of_training_and_pruning_has_an_example() -> None:
    used = {f"{table}.{key}" for example in recipes() for table in TABLES for key in example.get(table, ())}
    wanted = {key for key in keys(Recipe) if key.partition(".")[0] in TABLES}
    # A key that both phases have needs one example.
    both = {key.replace(*pair, 1) for key in used for pair in (("retrain.", "train."), ("train.", "retrain."))}
    assert wanted - used - both == set()


def examples() -> dict[str, str]:
    """Return the page's Python examples by what each defines."""
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    named = {}
    for block in blocks:
        [name] = re.findall(r"^(?:def|class) (\w+)", block, flags=re.MULTILINE)
        named[f"{name} of weights" if "evidence.parameters" in block else name] = block
    return named


@pytest.fixture
def own(tmp_path: Path) -> Callable[[str], str]:
    def written(name: str) -> str:
        file = tmp_path / f"{name.split()[0]}_{len(name)}.py"
        file.write_text(examples()[name])
        return f"{file}:{name.split()[0]}"

    return written


def test_there_is_an_example_of_everything_of_the_users_own() -> None:
    assert list(examples()) == ["score", "score of weights", "amount_after", "ClipWeights", "fit"]


def test_the_criteria_of_the_page_work(own: Callable[[str], str]) -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 2))
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[5.0, 0.0], [3.0, 3.0], [4.0, 4.0]]))
    channels = make_plan(model, (torch.ones(1, 2),), Prune(amount=0.4, criterion=own("score")))
    assert channels.kept["0.weight"] == {0: (0, 2)}
    masks = weight_masks(model, Prune(amount=0.5, granularity="weight", criterion=own("score of weights")))
    assert masks["0.weight"].int().tolist() == [[1, 0], [0, 0], [1, 1]]


def test_the_schedule_of_the_page_works(own: Callable[[str], str]) -> None:
    assert planned_amounts(own("amount_after"), 0.75, 3) == (0.25, 0.5, 0.75)


def test_the_training_of_the_page_works(own: Callable[[str], str], tmp_path: Path) -> None:
    asked = Retrain(epochs=1, batch_size=16, callbacks=[own("ClipWeights")], learning_rate=100.0)
    model = make_model()
    fit(model, make_splits(), asked, seed=0)
    assert max(float(parameter.detach().abs().max()) for parameter in model.parameters()) == 1.0
    weights = {"granularity": "weight", "amount": 0.75, "schedule": "one-shot"}
    done = recipe().model_copy(update={"prune": Prune.model_validate(weights)})
    done = done.model_copy(update={"retrain": Retrain(epochs=1, batch_size=16, fit=own("fit"), learning_rate=0.001)})
    model = make_model()
    before = model.fc1.weight.detach().clone()
    prune_and_retrain(model, make_splits(), done, work=tmp_path)
    live = model.fc1.weight != 0
    assert int(live.sum()) == 1536 // 4
    assert not torch.equal(model.fc1.weight[live], before[live])
