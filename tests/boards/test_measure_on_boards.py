"""Artifacts measured on boards that come and go."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgeprune.emulation import Unavailable
from edgeprune.errors import ParityError, StageFailure, UserError
from edgeprune.measuring import Comparison, Measurement, compare_interleaved, measure, run_inputs
from edgeprune.measuring.many_boards import measure_on_boards
from edgeprune.measuring.transport import BoardLost
from edgeprune.recipe import Measure
from edgeprune.target import find_target
from tests.boards.programs import once_running
from tests.boards.sshd import Sshd
from tools.rpc_fleet import Fleet

pytestmark = pytest.mark.slow
Link = Callable[..., Path]
SETTINGS = Measure(warmup=5, samples=200)
TOOLS = Path(__file__).parents[2] / "tools"


def test_an_artifact_is_measured_through_ssh(link: Link, sshd: Sshd) -> None:
    target = find_target("host@ssh://board")
    result = measure(link("host"), target, SETTINGS)
    assert isinstance(result, Measurement)
    assert (result.provenance, result.transport, result.check.passed) == ("measured", "ssh", True)
    assert len(result.samples_ns or ()) == 200
    inputs = np.arange(8, dtype=np.float32).reshape(2, 4)
    answers = run_inputs(link("host"), target, inputs)
    assert not isinstance(answers, Unavailable)
    assert answers.tolist() == (2 * inputs[:, :3] + inputs[:, 3:]).tolist()
    compared = compare_interleaved(link("host"), link("host"), target, rounds=2, samples=20)
    assert isinstance(compared, Comparison)
    with pytest.raises(ParityError, match="golden record 1"):
        measure(link("host", "WRONG_GOLDEN"), target, SETTINGS)


def test_an_artifact_for_another_cpu_is_told_from_a_bad_one(link: Link, sshd: Sshd) -> None:
    with pytest.raises(
        StageFailure, match="board ssh://board: tiny-bench is a program for 64-bit ARM, the board is x86"
    ):
        measure(link("rpi3"), find_target("rpi3@ssh://board"), SETTINGS)
    with pytest.raises(StageFailure, match="ended by SIGILL; the binary uses instructions this CPU does not have"):
        measure(link("host", "TRAP"), find_target("host@ssh://board"), SETTINGS)


def test_a_measurement_goes_on_after_its_board_came_back(link: Link, sshd: Sshd) -> None:
    long = link("host", "WORK=100000")
    once_running("400000", sshd.kill)
    with pytest.raises(BoardLost, match="board ssh://board: lost while tiny-bench ran"):
        measure(long, find_target("host@ssh://board"), Measure(warmup=5, samples=400_000))
    sshd.start()
    assert isinstance(measure(long, find_target("host@ssh://board"), SETTINGS), Measurement)


def test_many_boards_need_a_tracker_that_has_them(link: Link, fleet: Fleet) -> None:
    with pytest.raises(UserError, match="many boards at once are lent by a tracker: -t host@tracker://"):
        measure_on_boards([link("host")], find_target("host"), SETTINGS, boards=2)
    tracker = fleet.tracker()
    target = find_target(f"host@tracker://127.0.0.1:{tracker.port}/cam")
    with pytest.raises(UserError, match="2 boards are asked for, the tracker knows 0"):
        measure_on_boards([link("host")], target, SETTINGS, boards=2)


def test_no_result_is_lost_while_boards_die(link: Link, fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same with 64 boards and ten kills is ``tools/stress_tracker.py`` without options."""
    monkeypatch.syspath_prepend(TOOLS)
    stress = importlib.import_module("stress_tracker").stress
    artifacts = [link("host", "WORK=1000"), link("host", "WORK=2000", variant="pruned")]
    found = stress(fleet, artifacts, 8, 2, Measure(warmup=100_000, samples=200), 0)
    assert [found[key] for key in ("results", "killed", "faults")] == [16, 2, []]
