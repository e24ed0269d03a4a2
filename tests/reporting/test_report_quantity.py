import pytest

from edgeprune.reporting import Figure
from edgeprune.reporting.quantity import duration, duration_pair, human, share


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (431080, "parameters", "431 k"),
        (999, "parameters", "999"),
        (1000, "parameters", "1.00 k"),
        (999499, "parameters", "999 k"),
        (999500, "parameters", "1.00 M"),
        (2293000, "MACs", "2.29 M"),
        (0, "B", "0 B"),
        (52480, "B", "52.5 kB"),
        (1789952, "B", "1.79 MB"),
        (99.14, "%", "99.14 %"),
        (-0.05, "points", "-0.05 points"),
        (0.0, "points", "+0.00 points"),
        (214.26, "us", "214 us"),
        (1.5, "s", "1.50 s"),
        (150.0, "s", "2.5 min"),
        (2.4e-7, "1", "2.4e-07"),
    ],
)
def test_human(value: float, unit: str, text: str) -> None:
    assert human(Figure.model_validate({"value": value, "unit": unit, "provenance": "computed"})) == text


def test_absent_is_a_dash() -> None:
    assert human(Figure.absent("not run", "us")) == "-"


@pytest.mark.parametrize(
    ("microseconds", "text"),
    [
        (0.5, "500 ns"),
        (0.9996, "1.00 us"),
        (9.996, "10.0 us"),
        (38.95, "39.0 us"),
        (999.6, "1.00 ms"),
        (2.5e6, "2.50 s"),
    ],
)
def test_duration(microseconds: float, text: str) -> None:
    assert duration(microseconds) == text


def test_a_pair_of_times_shares_its_unit() -> None:
    assert duration_pair(38.9, 39.44) == "38.9/39.4 us"
    assert duration_pair(990.0, 1010.0) == "0.99/1.01 ms"


@pytest.mark.parametrize(("ratio", "text"), [(0.0730, "1/13.7"), (0.5, "1/2.00"), (1.0, "1.00x"), (1.2, "1.20x")])
def test_share(ratio: float, text: str) -> None:
    assert share(ratio) == text
