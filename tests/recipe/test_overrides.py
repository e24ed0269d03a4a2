"""`--set`: other values, keys taken out, and what a dump of a recipe reads back as."""

from __future__ import annotations

import re

import pytest

from edgeprune.errors import UserError
from edgeprune.recipe import Recipe, find_recipe


def test_an_override_sets_and_an_empty_one_takes_out() -> None:
    recipe = find_recipe("lenet5-mnist", ["prune.amount=0.25", "prune.round_to=", "retrain.final_epochs= "])
    assert (recipe.prune.amount, recipe.prune.round_to, recipe.retrain.final_epochs) == (0.25, 1, None)


def test_a_key_at_its_default_may_be_taken_out_as_well() -> None:
    assert find_recipe("lenet5-mnist", ["tune.trials=", "prune.scope="]) == find_recipe("lenet5-mnist")


def test_a_table_may_be_taken_out_and_begun_anew() -> None:
    recipe = find_recipe("lenet5-mnist", ["retrain=", "retrain.epochs=1"])
    assert (recipe.retrain.epochs, recipe.retrain.final_epochs, recipe.retrain.learning_rate) == (1, None, 0.05)


def test_scratch_is_reached_by_taking_out_what_it_takes_from_train() -> None:
    gone = [f"retrain.{key}=" for key in ("epochs", "final_epochs", "learning_rate")]
    recipe = find_recipe("lenet5-mnist", ["retrain.from=scratch", *gone])
    assert (recipe.retrain.epochs, recipe.retrain.learning_rate) == (recipe.train.epochs, recipe.train.learning_rate)


@pytest.mark.parametrize("key", ["prune.amuont", "prunes.amount", "retrain.start.x"])
def test_a_misspelt_key_is_not_taken_out_in_silence(key: str) -> None:
    message = f"--set '{key}=': there is no such key to take out of the recipe"
    with pytest.raises(UserError, match=f"^{re.escape(message)}$"):
        find_recipe("lenet5-mnist", [f"{key}="])


def test_taking_out_a_required_key_is_refused_as_its_absence() -> None:
    with pytest.raises(UserError, match=re.escape("prune.amount: this key is required")):
        find_recipe("lenet5-mnist", ["prune.amount="])


@pytest.mark.parametrize(
    "overrides",
    [
        [],
        ["prune.granularity=weight", "prune.round_to="],
        ["prune.granularity=weight", "prune.criterion=han", "prune.round_to="],
        ["prune.schedule=one-shot", "prune.rounds="],
        ["train.optimizer=adam"],
        ["retrain.from=rewind"],
        ["retrain.from=scratch", "retrain.epochs=", "retrain.final_epochs=", "retrain.learning_rate="],
    ],
)
def test_a_recipe_reads_back_from_its_dump(overrides: list[str]) -> None:
    recipe = find_recipe("lenet5-mnist", overrides)
    assert Recipe.model_validate(recipe.model_dump(mode="json")) == recipe
