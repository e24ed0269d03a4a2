"""What is built after a comparison: the baseline, unless another choice is surely faster."""

from __future__ import annotations

import pytest

from edgeprune.measuring.statistics import Interval
from edgeprune.tuning.choice import Choice
from edgeprune.tuning.decision import Row, decide, is_hopeless

NAMES = ("default", "tuned", "plain")


def rounds(*times: float) -> dict[str, float]:
    return {str(number): time for number, time in enumerate(times)}


def test_a_choice_that_is_faster_in_every_round_is_kept() -> None:
    taken = {"default": rounds(100, 110, 90, 100, 100, 120), "tuned": rounds(80, 88, 72, 80, 80, 96)}
    kept, rows = decide(NAMES, taken, "measured")
    assert kept == "tuned"
    assert rows == (
        Row("default", 100.0, None, None, 6),
        Row("tuned", 80.0, 0.8, Interval(0.8, 0.8, 0.95), 6),
    )


@pytest.mark.parametrize("tuned", [(90, 90, 90, 90, 110, 110, 110), (100,) * 7, (101,) * 7])
def test_a_choice_that_may_be_no_faster_leaves_the_default(tuned: tuple[float, ...]) -> None:
    kept, rows = decide(NAMES, {"default": rounds(*[100] * 7), "tuned": rounds(*tuned)}, "measured")
    assert kept == "default"
    assert rows[1].interval is not None
    assert rows[1].interval.high >= 1


def test_each_choice_is_held_against_the_one_kept_before_it() -> None:
    taken = {"default": rounds(*[100] * 6), "tuned": rounds(*[80] * 6), "plain": rounds(79, 81, 79, 81, 79, 81)}
    assert decide(NAMES, taken, "measured")[0] == "tuned"
    taken["plain"] = rounds(*[70] * 6)
    assert decide(NAMES, taken, "measured")[0] == "plain"
    assert [row.ratio for row in decide(NAMES, taken, "measured")[1]] == [None, 0.8, 0.7]


def test_a_few_rounds_decide_nothing() -> None:
    kept, rows = decide(NAMES, {"default": rounds(*[100] * 4), "tuned": rounds(*[50] * 4)}, "measured")
    assert kept == "default"
    assert rows[1] == Row("tuned", 50.0, None, None, 4)


def test_only_rounds_in_which_both_took_a_turn_are_compared() -> None:
    taken = {"default": rounds(*[100] * 5, 10, 10), "tuned": rounds(*[50] * 5)}
    kept, rows = decide(NAMES, taken, "measured")
    assert (kept, rows[1].ratio, rows[1].rounds) == ("tuned", 0.5, 5)


def ends(low: float, nominal: float, high: float) -> dict[str, float]:
    return {"low": low, "nominal": nominal, "high": high}


@pytest.mark.parametrize(
    ("tuned", "kept", "interval"),
    [
        (ends(72, 85, 108), "tuned", Interval(0.8, 0.9, 1.0)),
        (ends(72, 85, 120), "default", Interval(0.8, 1.0, 1.0)),
    ],
)
def test_estimates_must_agree_over_the_models_range(tuned: dict[str, float], kept: str, interval: Interval) -> None:
    found, rows = decide(NAMES, {"default": ends(90, 100, 120), "tuned": tuned}, "estimated")
    assert (found, rows[1]) == (kept, Row("tuned", 85.0, 0.85, interval, 3))


def test_a_choice_without_a_turn_has_no_row() -> None:
    kept, rows = decide(NAMES, {"default": rounds(*[100] * 5), "plain": rounds(*[50] * 5)}, "measured")
    assert (kept, [row.name for row in rows]) == ("plain", ["default", "plain"])


def test_what_is_clearly_slower_in_every_round_needs_no_more() -> None:
    fast = {"default": rounds(*[100] * 5)}
    assert is_hopeless(rounds(*[120] * 5), fast)
    assert not is_hopeless(rounds(*[120] * 4), fast)
    assert not is_hopeless(rounds(120, 120, 120, 120, 105), fast)


def test_rows_and_choices_come_back_from_json() -> None:
    row, choice = Row("tuned", 85.0, 0.85, Interval(0.8, 0.9, 0.95), 16), Choice("no Winograd", True, False, 2)
    assert Row.from_dict(row.as_dict()) == row
    assert Choice.from_dict(choice.as_dict()) == choice
