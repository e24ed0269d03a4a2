"""What a recipe may say in its [budget], and where it is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgeprune.errors import UserError
from edgeprune.pipeline.sequence import Run
from edgeprune.recipe import find_recipe
from edgeprune.target import find_target


def refused(*settings: str) -> str:
    with pytest.raises(UserError) as error:
        find_recipe("lenet5-mnist", settings)
    return str(error.value)


def test_only_the_given_limits_hold() -> None:
    recipe = find_recipe("lenet5-mnist", ["budget.target=rpi3", "budget.latency_us=200", "budget.memory_kb=50"])
    assert recipe.budget is not None
    assert recipe.budget.limits == {"latency_us": 200.0, "memory_kb": 50.0}


def test_a_budget_without_a_limit_is_refused() -> None:
    assert "budget: give at least one of latency_us, size_kb, memory_kb" in refused("budget.target=rpi3")


def test_a_misspelt_limit_names_the_right_one() -> None:
    assert "did you mean 'latency_us'?" in refused("budget.target=rpi3", "budget.latncy_us=3")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (("prune.granularity=weight", "prune.round_to="), "budget: prune.granularity 'weight' holds weights at zero"),
        (("prune.schedule=[0.4, 0.68]",), "budget: prune.schedule fixes the amounts"),
        (("prune.amounts_from=runs/x/prune", "prune.override="), "budget: prune.amounts_from fixes the amounts"),
    ],
)
def test_pruning_that_leaves_a_budget_nothing_to_choose_is_refused(settings: tuple[str, ...], message: str) -> None:
    assert message in refused("budget.target=rpi3", "budget.size_kb=9", *settings)


def test_a_run_must_be_for_the_budgets_board(tmp_path: Path) -> None:
    recipe = find_recipe("lenet5-mnist", ["budget.target=rpi3", "budget.size_kb=9"])
    with pytest.raises(UserError, match=r"budget\.target is rpi3, which this run leaves out; add --target rpi3"):
        Run(recipe, (find_target("host"),), tmp_path)
    Run(recipe, (find_target("host"), find_target("rpi3")), tmp_path)
    Run(recipe, (), tmp_path)
