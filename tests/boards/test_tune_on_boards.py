"""Tuning through real servers: ssh's, and TVM's behind its tracker."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgeprune.errors import StageFailure, UserError
from edgeprune.lowering import Lowered
from edgeprune.measuring.transport import BoardLost
from edgeprune.progress import SilentProgress
from edgeprune.recipe import Tune
from edgeprune.target import find_target
from edgeprune.tuning.engine import tune
from tests.boards.sshd import Sshd
from tests.tuning.conftest import host, tiny  # noqa: F401 - fixtures
from tools.fleet_throughput import throughput
from tools.rpc_fleet import Fleet, Served

pytestmark = pytest.mark.slow


class Watcher(SilentProgress):
    """Kills a board at a trial."""

    def __init__(self, victim: Served | None = None, at: int = 0) -> None:
        self.notes: list[str] = []
        self.done = 0
        self._victim, self._at = victim, at

    def note(self, message: str) -> None:
        self.notes.append(message)

    def advance(self, message: str) -> None:
        self.done += 1
        if self._victim is not None and self.done == self._at:
            self._victim.kill()


def test_trials_run_through_ssh(sshd: Sshd, tiny: Lowered, tmp_path: Path) -> None:  # noqa: F811
    board = find_target("host@ssh://board")
    found = tune(tiny, board, Tune(trials=6), database=tmp_path / "tuning")
    assert (found.trials, found.hit_rate > 0, found.provenance) == (6, True, "measured")
    assert [kernel.failures for kernel in found.kernels] == [{}] * len(found.kernels)


def test_a_board_behind_a_tracker_may_die(fleet: Fleet, tiny: Lowered, tmp_path: Path) -> None:  # noqa: F811
    tracker = fleet.tracker()
    victim = fleet.server(key="k", tracker=tracker)
    for _ in range(2):
        fleet.server(key="k", tracker=tracker)
    board = find_target(f"host@tracker://127.0.0.1:{tracker.port}/k?wait=30")
    watcher = Watcher(victim, at=4)
    found = tune(tiny, board, Tune(trials=24), database=tmp_path / "tuning", progress=watcher)
    # The search may stop before the budget, where a kernel no longer improves; no trial is lost or made twice.
    assert found.trials == watcher.done >= 12
    assert sum(sum(kernel.failures.values()) for kernel in found.kernels) == 0
    with pytest.raises(UserError, match="9 boards are asked for, the tracker knows"):
        tune(tiny, board, Tune(trials=60, boards=9), database=tmp_path / "other")


def test_twice_the_boards_make_nearly_twice_the_trials_where_boards_are_short(fleet: Fleet, tiny: Lowered) -> None:  # noqa: F811
    one, two = (throughput(fleet, tiny, boards, 40, candidate_seconds=1.0) for boards in (1, 2))
    assert one.rate < 1  # it sleeps a second for each
    assert two.rate > 1.4 * one.rate  # opening boards and the last batch are in it


def test_what_cannot_be_reached_is_said_and_leaves_the_records(
    fleet: Fleet,
    tiny: Lowered,  # noqa: F811
    tmp_path: Path,
) -> None:
    tracker = fleet.tracker()
    root = tmp_path / "tuning"
    cases: list[tuple[str, type[StageFailure], str]] = [
        (
            f"tracker://127.0.0.1:{tracker.port}/nobody",
            StageFailure,
            "the tracker knows no board with the key 'nobody'",
        ),
        ("tracker://127.0.0.1:9/k", BoardLost, "the tracker cannot be reached"),
        ("rpc://127.0.0.1:9", BoardLost, "cannot be reached"),
    ]
    for address, kind, message in cases:
        with pytest.raises(kind, match=message):
            tune(tiny, find_target(f"host@{address}"), Tune(trials=2), database=root)
    board = find_target(f"host@rpc://127.0.0.1:{fleet.server().port}")
    assert tune(tiny, board, Tune(trials=2), database=root).trials == 2
