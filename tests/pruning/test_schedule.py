from __future__ import annotations

import re
from itertools import pairwise

import pytest

from edgeprune.pruning.schedule import amount_after, cubic_amount, iterative_amount, round_count


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


def test_amount_after_chooses_by_name() -> None:
    assert amount_after(schedule="one-shot", amount=0.8, completed=1, rounds=1) == 0.8
    assert amount_after(schedule="iterative", amount=0.75, completed=1, rounds=2) == 0.5
    assert amount_after(schedule="cubic", amount=0.8, completed=1, rounds=2) == pytest.approx(0.7)
    assert round_count(schedule="one-shot", rounds=3) == 1
    assert round_count(schedule="cubic", rounds=3) == 3


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
