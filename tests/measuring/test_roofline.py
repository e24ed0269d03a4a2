from __future__ import annotations

import pytest

from edgeprune.measuring.profile import ProfiledStep
from edgeprune.measuring.roofline import Placement, board_peak, roofline
from edgeprune.target import Target, find_target

CONV = ProfiledStep("conv", ("c1", "relu"), flop=8_000_000, bytes=100_000, p50=1_000_000, min=900_000, runs=50)
FC = ProfiledStep("fc", ("fc1",), flop=1_000_000, bytes=2_000_000, p50=1_000_000, min=900_000, runs=50)


def board(**changes: object) -> Target:
    """Four cores of 8 FLOP per cycle at 1 GHz, 4 GB/s."""
    whole = find_target("rpi3")
    core = whole.cores[0].model_copy(update={"count": 4, "flop_per_cycle": 8, "max_mhz": 1000})
    return whole.model_copy(update={"name": "board", "cores": [core], "bandwidth_gb_s": 4.0} | changes)


def test_fractions_of_both_peaks() -> None:
    found = roofline((CONV, FC), 2_000_000, board(), "float32", Placement(1, "0"))
    assert found is not None
    assert (found.peak.flop_per_s, found.peak.bytes_per_s, found.peak.absent) == (8e9, 4e9, None)
    conv, fc = found.steps
    assert (conv.flop_per_s, conv.flop_fraction, conv.bound, conv.limit) == (8e9, 1.0, 1.0, "compute")
    assert (fc.bytes_per_s, fc.bytes_fraction, fc.bound, fc.limit) == (2e9, 0.5, 0.5, "memory")
    assert fc.flop_fraction == pytest.approx(0.125)
    assert (found.total.flop, found.total.bytes, found.total.flop_per_s) == (9_000_000, 2_100_000, 4.5e9)
    assert found.total.bound == pytest.approx(9e6 / 8e9 / 2e-3)


def test_threads_multiply_the_peak_up_to_the_cores_there_are_and_were_allowed() -> None:
    def peak(threads: int, allowed: str | None, precision: str = "float32") -> float | None:
        return board_peak(board(), precision, Placement(threads, allowed)).flop_per_s

    assert [peak(2, "0-3"), peak(8, "0-7"), peak(4, "0-1"), peak(4, None)] == [16e9, 32e9, 16e9, 32e9]
    assert peak(1, "0", "float16") == 16e9


def test_little_cores_are_held_against_the_last_cluster() -> None:
    rk3588 = find_target("rk3588")
    big, little = (board_peak(rk3588, "float32", Placement(1, "0-7", wanted)) for wanted in ("big", "little"))
    assert (big.origin, little.origin) == (
        "1 x cortex-a76 of target rk3588",
        "1 x cortex-a55 of target rk3588",
    )


def test_a_peak_that_the_target_does_not_give_is_named() -> None:
    bare = board(bandwidth_gb_s=None)
    found = roofline((CONV, FC), 2_000_000, bare, "float32", Placement(1, "0"))
    assert found is not None
    assert found.peak.absent == "target board does not give bandwidth_gb_s"
    assert (found.steps[1].bytes_fraction, found.steps[1].limit) == (None, "compute")
    host = roofline((CONV,), 1_000_000, find_target("host"), "float32", Placement(1, "0"))
    assert host is not None
    assert host.peak.absent == "target host does not give cores.flop_per_cycle, cores.max_mhz, bandwidth_gb_s"
    assert (host.total.flop_fraction, host.total.bytes_fraction, host.total.bound) == (None, None, None)
    assert host.total.flop_per_s == 8e9


def test_no_profile_no_roofline() -> None:
    assert roofline((), 1000, board(), "float32", Placement(1, "0")) is None
