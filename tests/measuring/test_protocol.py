from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from edgeprune.measuring.protocol import Protocol, least_seconds, protocol_of, timed_options
from edgeprune.recipe import Measure


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"protocol": "quick"}, Protocol(10, 0.0, 100, 0.0)),
        ({}, Protocol(50, 0.5, 1000, 1.0)),
        ({"protocol": "mlperf"}, Protocol(50, 0.5, 1024, 60.0)),
        ({"samples": 200}, Protocol(50, 0.5, 200, 0.0)),
        ({"samples": 200, "seconds": 0.25}, Protocol(50, 0.5, 200, 0.25)),
        ({"protocol": "mlperf", "warmup": 3}, Protocol(3, 0.0, 1024, 60.0)),
    ],
)
def test_what_is_said_replaces_the_protocols_own(settings: dict[str, Any], expected: Protocol) -> None:
    assert protocol_of(Measure(**settings)) == expected


def test_the_executables_options() -> None:
    settings = Measure(samples=5, seconds=0.0000001, threads=4, affinity="big", cooldown="55C", cold=True)
    assert " ".join(timed_options(settings)) == (
        "--warmup 50 --warmup-seconds 0.5 --samples 5 --seconds 0.0000001 --cooldown 55C --profile 50 "
        "--threads 4 --affinity big --cold"
    )
    assert "--profile" not in timed_options(Measure(profile=False))


def test_how_long_a_run_takes_at_least() -> None:
    assert least_seconds(Measure(protocol="mlperf", cooldown="30")) == 90.5
    assert least_seconds(Measure(protocol="quick", cooldown="40C")) == 600


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("cooldown", "55F", "write seconds"),
        ("affinity", "fast", "write big, little, a mask"),
        ("protocol", "long", "Input should be 'quick', 'standard' or 'mlperf'"),
        ("threads", 0, "greater than or equal to 1"),
    ],
)
def test_what_is_refused(key: str, value: Any, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Measure(**{key: value})


def test_numbers_may_be_written_as_numbers() -> None:
    settings = Measure.model_validate({"cooldown": 30, "affinity": 2})
    assert (settings.cooldown, settings.affinity) == ("30", "2")
