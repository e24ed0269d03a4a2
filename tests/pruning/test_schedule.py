from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest

from edgeprune.errors import UserError
from edgeprune.pruning.schedule import cubic_amount, iterative_amount, planned_amounts
from edgeprune.recipe import Prune
from edgeprune.toml_file import validate


def test_iterative_removes_the_same_fraction_of_what_is_left() -> None:
    left = [1 - iterative_amount(amount=0.9, completed=completed, rounds=5) for completed in range(6)]
    assert left[0] == 1
    assert [after / before for before, after in pairwise(left)] == pytest.approx([0.1**0.2] * 5)


def test_iterative_ends_exactly() -> None:
    assert [iterative_amount(amount=amount, completed=7, rounds=7) for amount in (0.1, 0.3, 0.68, 0.9)] == [
        0.1,
        0.3,
        0.68,
        0.9,
    ]


def test_cubic_closed_form() -> None:
    assert [cubic_amount(amount=0.8, completed=completed, rounds=4) for completed in range(5)] == pytest.approx(
        [0, 0.8 * 37 / 64, 0.8 * 56 / 64, 0.8 * 63 / 64, 0.8]
    )


def test_schedules_by_name() -> None:
    assert planned_amounts("one-shot", 0.8, 3) == (0.8,)
    assert planned_amounts("iterative", 0.75, 2) == (0.5, 0.75)
    assert planned_amounts("cubic", 0.8, 2) == pytest.approx((0.7, 0.8))


def linear(*, completed: int, rounds: int, amount: float) -> float:
    return amount * completed / rounds


def test_a_schedule_of_the_users_own(tmp_path: Path) -> None:
    assert planned_amounts(linear, 0.75, 3) == pytest.approx((0.25, 0.5, 0.75))
    file = tmp_path / "own.py"
    file.write_text("def late(completed, rounds, amount):\n    return amount if completed == rounds else 0\n")
    assert planned_amounts(f"{file}:late", 0.75, 3) == (0.0, 0.0, 0.75)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([0.5, 1.0], "gave 1.0 after round 2; a fraction in [0, 1) is wanted"),
        ([-0.1, 0.8], "gave -0.1 after round 1; a fraction in [0, 1) is wanted"),
        (["half", 0.8], "gave 'half' after round 1; a fraction in [0, 1) is wanted"),
        ([float("nan"), 0.8], "gave nan after round 1; a fraction in [0, 1) is wanted"),
        ([True, 0.8], "gave True after round 1; a fraction in [0, 1) is wanted"),
        ([0.9, 0.8], "falls from 0.9 to 0.8 in round 2"),
        ([0.1, 0.7], "ends at 0.7, but prune.amount is 0.8"),
    ],
)
def test_what_a_schedule_returns_is_checked(values: list[float], message: str) -> None:
    def own(*, completed: int, rounds: int, amount: float) -> float:
        return values[completed - 1]

    with pytest.raises(UserError, match=re.escape(message)):
        planned_amounts(own, 0.8, 2)


@pytest.mark.parametrize("schedule", [iterative_amount, cubic_amount])
@pytest.mark.parametrize(
    ("amount", "completed", "rounds", "message"),
    [
        (1.0, 1, 2, "amount must be in [0, 1), not 1.0"),
        (-0.1, 1, 2, "amount must be in [0, 1), not -0.1"),
        (0.5, 3, 2, "completed must be in [0, 2], not 3"),
        (0.5, -1, 2, "completed must be in [0, 2], not -1"),
        (0.5, 0, 0, "completed must be in [0, 0], not 0"),
    ],
)
def test_refusals(schedule, amount: float, completed: int, rounds: int, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        schedule(amount=amount, completed=completed, rounds=rounds)


def test_a_list_says_what_is_gone_after_each_round() -> None:
    settings = Prune(amount=0.9, schedule=[0.5, 0.8, 0.9])
    assert settings.rounds == 3
    assert planned_amounts(settings.schedule, settings.amount, settings.rounds) == (0.5, 0.8, 0.9)
    assert Prune.model_validate(settings.model_dump()) == settings


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        ([0.5, 0.7], "schedule ends at 0.7, but amount is 0.9"),
        ([0.5, 0.5, 0.9], "schedule: the fractions gone after each round must rise from above 0"),
        ([0.0, 0.9], "schedule: the fractions gone after each round must rise from above 0"),
        ([], "rounds: input should be greater than or equal to 1, not 0"),
    ],
)
def test_lists_that_do_not_fit(schedule: list[float], message: str) -> None:
    with pytest.raises(UserError, match=re.escape(message)):
        validate(Prune, {"amount": 0.9, "schedule": schedule}, "recipe.toml")


def test_neither_a_name_nor_a_list() -> None:
    with pytest.raises(UserError, match=re.escape("schedule: write a name, a list of fractions or file.py:callable")):
        validate(Prune, {"amount": 0.9, "schedule": 3}, "recipe.toml")


def test_a_list_has_as_many_rounds_as_it_names() -> None:
    with pytest.raises(UserError, match="schedule names 2 amounts, but rounds is 3; remove rounds"):
        validate(Prune, {"amount": 0.9, "schedule": [0.5, 0.9], "rounds": 3}, "recipe.toml")
