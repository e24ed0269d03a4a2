"""The least share of a pruning that is within a budget."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edgeprune.stages.budget_search import least_share


def test_halving_asks_in_this_order() -> None:
    asked: list[float] = []

    def within(share: float) -> bool:
        asked.append(share)
        return share >= 0.3

    assert least_share(within, halvings=4) == 0.3125
    assert asked == [0.5, 0.25, 0.375, 0.3125]


@given(needed=st.floats(min_value=0, max_value=1, exclude_min=True), halvings=st.integers(1, 12))
def test_the_share_is_enough_and_a_step_less_is_not(needed: float, halvings: int) -> None:
    share = least_share(lambda tried: tried >= needed, halvings)
    assert share >= needed
    assert share - 0.5**halvings < needed


@given(answers=st.lists(st.booleans(), min_size=6, max_size=6))
def test_whatever_the_answers_the_share_is_one_that_was_within(answers: list[bool]) -> None:
    given_to: dict[float, bool] = {1.0: True}

    def within(share: float) -> bool:
        given_to[share] = answers[len(given_to) - 1]
        return given_to[share]

    assert given_to[least_share(within, halvings=6)]
