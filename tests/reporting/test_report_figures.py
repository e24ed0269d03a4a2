from typing import Any

import pytest
from pydantic import ValidationError

from edgeprune.reporting import Accuracy, Figure, Latency
from edgeprune.reporting.headline import difference, over


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"value": 1, "unit": "B", "provenance": None}, "a value needs a provenance"),
        ({"value": None, "unit": "B", "provenance": "measured"}, "a provenance a value"),
        ({"value": None, "unit": "B", "provenance": None}, "without a value needs a reason"),
        ({"value": None, "unit": "B", "provenance": None, "reason": ""}, "without a value needs a reason"),
        ({"value": 1, "unit": "B", "provenance": "computed", "reason": "why"}, "one with a value has none"),
        ({"value": float("nan"), "unit": "us", "provenance": "measured"}, "finite number"),
        ({"value": 1, "unit": "furlong", "provenance": "measured"}, "Input should be '%'"),
        ({"value": "1", "unit": "B", "provenance": "measured"}, "valid integer"),
        ({"value": 1, "unit": "B", "provenance": "guessed"}, "Input should be 'measured'"),
    ],
)
def test_a_figure_is_present_with_provenance_or_absent_with_reason(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Figure.model_validate(fields)


def test_figures_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Figure.measured(1.0, "us").value = 2.0


def test_accuracy_comes_from_its_counts() -> None:
    accuracy = Accuracy.of(9914, 10000, "emulated")
    assert accuracy.percent == Figure.emulated(99.14, "%")
    with pytest.raises(ValidationError, match=r"99.0 % is not 98 of 100"):
        Accuracy(correct=98, total=100, percent=Figure.computed(99.0, "%"))
    with pytest.raises(ValidationError, match="0 <= correct <= total"):
        Accuracy(correct=11, total=10, percent=Figure.computed(110.0, "%"))
    with pytest.raises(ValidationError, match="an absent accuracy has no counts"):
        Accuracy(correct=1, total=2, percent=Figure.absent("not asked for", "%"))


def latency(figure: Figure, **samples: Any) -> Latency:
    return Latency(p50=figure, p90=figure, p99=figure, windows=figure, **samples)


def test_an_emulator_has_no_latency() -> None:
    with pytest.raises(ValidationError, match="the wall time of an emulator is not a latency"):
        latency(Figure.emulated(10.0, "us"), samples=(10.0, 11.0), taken=2)


def test_a_measured_latency_keeps_its_samples() -> None:
    with pytest.raises(ValidationError, match="keeps its samples"):
        latency(Figure.measured(10.0, "us"))
    with pytest.raises(ValidationError, match="2 samples of 1 taken"):
        latency(Figure.measured(10.0, "us"), samples=(10.0, 11.0), taken=1)


def test_ratio_of_like_figures_only() -> None:
    assert over(Figure.measured(30.0, "us"), Figure.measured(120.0, "us")) == Figure.measured(0.25, "1")
    assert over(Figure.emulated(30, "instructions"), Figure.emulated(40, "instructions")) == Figure.emulated(0.75, "1")
    assert over(Figure.estimated(1.0, "us"), Figure.measured(2.0, "us")).reason == (
        "estimated cannot be compared with measured"
    )
    assert over(Figure.computed(1, "B"), Figure.computed(1, "MACs")).reason == "B cannot be compared with MACs"
    assert over(Figure.computed(1, "B"), Figure.computed(0, "B")).reason == "the other side is 0"
    assert over(Figure.absent("no board", "us"), Figure.measured(2.0, "us")).reason == "no board"


def test_difference_in_points() -> None:
    assert difference(Figure.computed(99.09, "%"), Figure.computed(99.14, "%")) == Figure.computed(-0.05, "points")
