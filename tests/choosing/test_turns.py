"""Artifacts taking turns on a board with a clock that ticks when it is read: every figure is exact."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from edgeprune.errors import ParityError
from edgeprune.measuring import Completed, LocalTransport
from edgeprune.measuring.bench_artifact import BenchArtifact
from edgeprune.progress import SilentProgress
from edgeprune.stages.choice_turns import Turns
from edgeprune.target import find_target
from edgeprune.tuning.choice_log import ChoiceLog
from edgeprune.tuning.decision import decide
from tests.choosing.conftest import Ticking

pytestmark = pytest.mark.slow


class Board(LocalTransport):
    """This machine, where executables of one name do not stand in each other's way; it counts what it runs."""

    def __init__(self, most_runs: int = 10_000) -> None:
        super().__init__()
        self.runs = 0
        self._most_runs = most_runs

    def push(self, file: Path) -> str:
        return str(file)

    def run(self, argv: Sequence[str], *, timeout: float) -> Completed:
        if self.runs == self._most_runs:
            raise KeyboardInterrupt
        self.runs += 1
        return super().run(argv, timeout=timeout)


@pytest.fixture(autouse=True)
def own_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lock").mkdir()
    monkeypatch.setenv("EDGEPRUNE_LOCK_DIRECTORY", str(tmp_path / "lock"))


def turns(directory: Path) -> Turns:
    directory.mkdir(exist_ok=True)
    return Turns(find_target("host"), ChoiceLog(directory), "comparison", SilentProgress())


def artifacts(ticking: Ticking, **nanoseconds: int) -> dict[str, BenchArtifact]:
    return {name: ticking(count) for name, count in nanoseconds.items()}


def test_the_faster_one_is_kept_and_the_hopeless_one_leaves_early(ticking: Ticking, tmp_path: Path) -> None:
    entrants = artifacts(ticking, default=4000, tuned=3000, slow=6000)
    with Board() as board:
        taken = turns(tmp_path / "log").time(board, entrants, {})
    assert {name: len(rounds) for name, rounds in taken.times.items()} == {"default": 16, "tuned": 16, "slow": 5}
    kept, rows = decide(list(entrants), taken.times, taken.provenance)
    assert kept == "tuned"
    assert [(row.time, row.ratio) for row in rows] == [(4.0, None), (3.0, 0.75), (6.0, 1.5)]
    assert rows[1].interval is not None
    assert (rows[1].interval.low, rows[1].interval.high) == (0.75, 0.75)


def test_equal_artifacts_leave_the_default(ticking: Ticking, tmp_path: Path) -> None:
    entrants = artifacts(ticking, default=3000, tuned=3000)
    with Board() as board:
        taken = turns(tmp_path / "log").time(board, entrants, {})
    assert decide(list(entrants), taken.times, taken.provenance)[0] == "default"


def test_an_interrupted_comparison_goes_on_with_whole_rounds(ticking: Ticking, tmp_path: Path) -> None:
    entrants = artifacts(ticking, default=4000, tuned=3000)
    # One run each to see how long a turn is, then five rounds of two and one half of a sixth.
    with Board(most_runs=2 + 2 * 5 + 1) as board, pytest.raises(KeyboardInterrupt):
        turns(tmp_path / "log").time(board, entrants, {})
    found = ChoiceLog(tmp_path / "log").turns("comparison")
    assert {name: sorted(rounds) for name, rounds in found.items()} == {name: list("01234") for name in entrants}
    with Board() as board:
        turns(tmp_path / "log").time(board, entrants, {})
        assert board.runs == 2 + 2 * (16 - 5)
    with Board() as board:
        turns(tmp_path / "log").time(board, entrants, {})
        assert board.runs == 2


def test_one_that_computes_something_else_is_left_out_and_named(ticking: Ticking, tmp_path: Path) -> None:
    entrants = {"default": ticking(4000), "tuned": ticking(1000, "WRONG_GOLDEN"), "plain": ticking(3000)}
    with Board() as board:
        taken = turns(tmp_path / "log").time(board, entrants, {})
    assert list(taken.times) == ["default", "plain"]
    assert list(taken.failed) == ["tuned"]
    assert "golden record 1, output 0, element 2: relative error 0.0476" in taken.failed["tuned"]


def test_a_wrong_baseline_is_an_error(ticking: Ticking, tmp_path: Path) -> None:
    entrants = {"default": ticking(1000, "WRONG_GOLDEN"), "plain": ticking(3000)}
    with Board() as board, pytest.raises(ParityError, match="golden record 1"):
        turns(tmp_path / "log").time(board, entrants, {})
