from typing import Any

import numpy as np
import pytest

from edgeprune.measuring.statistics import summarise
from edgeprune.measuring.verdicts import judge, parse_cpu_list

QUIET = {"backwards": 0}


def core(
    number: int, governor: str | None = "performance", khz: int = 1_400_000, throttled: int | None = None
) -> dict[str, Any]:
    return {"core": number, "governor": governor, "frequency_khz": khz, "throttle_count": throttled}


def moment(
    *cores: dict[str, Any], affinity: str = "0-3", load: str = "0.1 0.1 0.1 1/90 77", firmware: str | None = None
):
    return {
        "affinity": affinity, "online": "0-3", "loadavg": load, "raspberry_throttled": firmware,
        "cores": list(cores) or None,
    }  # fmt: skip


def names(
    before: dict[str, Any], after: dict[str, Any], samples: Any = None, clock: dict[str, int] = QUIET
) -> list[str]:
    values = np.full(1000, 5000) if samples is None else np.asarray(samples)
    return [verdict.name for verdict in judge(values, summarise(values), {"before": before, "after": after}, clock)]


def test_a_quiet_board_with_a_fixed_clock_has_no_verdict() -> None:
    assert names(moment(core(0), core(1)), moment(core(0), core(1))) == []


@pytest.mark.parametrize(
    ("governor", "expected"), [("ondemand", ["governor not fixed"]), (None, ["governor unknown"]), ("userspace", [])]
)
def test_governors(governor: str | None, expected: list[str]) -> None:
    assert names(moment(core(0, governor)), moment(core(0, governor))) == expected


def test_only_cores_the_program_may_use_count() -> None:
    board = moment(core(0, "ondemand"), core(4), affinity="4")
    assert names(board, board) == []


def test_no_cores_in_sys_means_an_unknown_governor() -> None:
    assert names(moment(), moment()) == ["governor unknown"]


def test_throttling_by_counter_by_firmware_and_by_clock() -> None:
    cool = moment(core(0, throttled=3), firmware="0")
    assert names(cool, moment(core(0, throttled=4), firmware="0")) == ["throttled"]
    assert names(cool, moment(core(0, throttled=3), firmware="50005")) == ["throttled"]
    assert names(cool, moment(core(0, khz=1_200_000, throttled=3), firmware="0")) == ["throttled"]
    assert names(cool, moment(core(0, khz=1_300_000, throttled=3), firmware="0")) == []


def test_a_throttling_before_this_run_is_not_blamed_on_it() -> None:
    earlier = moment(core(0), firmware="throttled=0x50000")
    assert names(earlier, earlier) == []


def test_noise_drift_clock_and_load() -> None:
    fixed = moment(core(0))
    assert names(fixed, fixed, np.tile([1000, 2000], 50)) == ["noisy"]
    assert names(fixed, fixed, np.repeat([1000, 1002, 1004, 1100], 100)) == ["drift"]
    assert names(fixed, fixed, clock={"backwards": 2}) == ["clock went backwards"]
    assert names(fixed, moment(core(0), load="3.0 1.0 1.0 5/90 77")) == ["busy"]
    assert names(fixed, moment(core(0), load="3.0 1.0 1.0 4/90 77")) == []


@pytest.mark.parametrize(("text", "cores"), [("0-2,5", {0, 1, 2, 5}), ("3", {3}), ("", set()), (None, set())])
def test_cpu_lists(text: str | None, cores: set[int]) -> None:
    assert parse_cpu_list(text) == cores
