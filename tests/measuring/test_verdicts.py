from typing import Any

import numpy as np
import pytest

from edgeprune.measuring.board_verdicts import parse_cpu_list
from edgeprune.measuring.statistics import summarise
from edgeprune.measuring.verdicts import judge

QUIET = {"backwards": 0, "elapsed_ns": 5_000_000_000, "elapsed_raw_ns": 5_000_900_000}


def core(
    number: int, governor: str | None = "performance", khz: int = 1_400_000, throttled: int | None = None, **more: Any
) -> dict[str, Any]:
    silent = dict.fromkeys(("capacity", "maximum_khz", "hardware_maximum_khz", "package_throttle_count"))
    return silent | {"core": number, "governor": governor, "frequency_khz": khz, "throttle_count": throttled} | more


def moment(
    *cores: dict[str, Any],
    affinity: str = "0-3",
    load: str = "0.1 0.1 0.1 1/90 77",
    firmware: str | None = None,
    coolers: list[dict[str, Any]] | None = None,
) -> dict[str, Any]:
    return {
        "affinity": affinity, "online": "0-3", "loadavg": load, "raspberry_throttled": firmware,
        "cores": list(cores) or None, "cooling_devices": coolers,
    }  # fmt: skip


def names(
    before: dict[str, Any], after: dict[str, Any], samples: Any = None, clock: dict[str, int] = QUIET, **more: Any
) -> list[str]:
    values = np.full(1000, 5000) if samples is None else np.asarray(samples)
    environment = {"before": before, "after": after}
    return [verdict.name for verdict in judge(values, summarise(values), environment, clock, **more)]


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


def test_throttling_by_a_cooling_device_of_a_core() -> None:
    def cooled(state: int, kind: str = "thermal-cpufreq-0") -> dict[str, Any]:
        return moment(core(0), coolers=[{"type": kind, "state": state, "highest_state": 5}])

    assert names(cooled(0), cooled(2)) == ["throttled"]
    assert names(cooled(2), cooled(2)) == []
    assert names(cooled(0, "pwm-fan"), cooled(2, "pwm-fan")) == []


def test_a_core_that_may_not_run_at_its_highest_clock() -> None:
    held = moment(core(0, maximum_khz=1_000_000, hardware_maximum_khz=1_400_000))
    assert names(held, held) == ["clock limited"]


def test_a_run_on_fast_and_slow_cores() -> None:
    board = moment(core(0, capacity=446), core(1, capacity=446), core(2, capacity=1024))
    assert names(board, board, cores_used="0-2") == ["unequal cores"]
    assert names(board, board, cores_used="0-1") == []


def test_a_board_that_did_not_cool_down() -> None:
    board = moment(core(0))
    waited = {"until_millidegrees": 45000, "waited_ns": 600_000_000_000, "reached": False}
    assert names(board, board, cooldown=waited) == ["not cooled down"]
    assert names(board, board, cooldown=waited | {"reached": True}) == []


def test_noise_drift_modes_clock_and_load() -> None:
    fixed = moment(core(0))
    assert names(fixed, fixed, np.tile([1000, 2000], 20)) == ["noisy"]
    spread = np.arange(50)
    assert names(fixed, fixed, np.c_[1000 + spread, 2000 + spread].ravel()) == ["noisy", "bimodal"]
    assert names(fixed, fixed, np.arange(1000, 1100)) == ["drifting"]
    assert names(fixed, fixed, clock=QUIET | {"backwards": 2}) == ["clock jumped"]
    assert names(fixed, fixed, clock=QUIET | {"elapsed_ns": 8_000_000_000}) == ["clock jumped"]
    assert names(fixed, fixed, [5000] * 999 + [3_000_000_000]) == ["paused"]
    assert names(fixed, moment(core(0), load="3.0 1.0 1.0 5/90 77")) == ["busy"]
    assert names(fixed, moment(core(0), load="3.0 1.0 1.0 4/90 77")) == []


@pytest.mark.parametrize(("text", "cores"), [("0-2,5", {0, 1, 2, 5}), ("3", {3}), ("", set()), (None, set())])
def test_cpu_lists(text: str | None, cores: set[int]) -> None:
    assert parse_cpu_list(text) == cores
