"""Candidates as programs of their own: this machine and emulated ones stand for boards."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
import tvm
from tvm.s_tir import Schedule

from edgeprune.emulation import Unavailable
from edgeprune.errors import StageFailure
from edgeprune.lowering import tvm_target
from edgeprune.lowering.llvm_target import native_target
from edgeprune.measuring.board_core import board_core
from edgeprune.measuring.local_transport import LocalTransport
from edgeprune.measuring.qemu_transport import QemuTransport
from edgeprune.measuring.transport import BoardLost, Completed, Transport
from edgeprune.target import Target, find_target
from edgeprune.toolchain import toolchain_for
from edgeprune.tuning.board import Board
from edgeprune.tuning.fleet import Fleet
from edgeprune.tuning.local_runner import LocalRunner
from edgeprune.tuning.nursery import Nursery
from edgeprune.tuning.outcome import Outcome
from edgeprune.tuning.pipeline import Cores, Pipeline
from tests.emulator import emulator
from tests.tuning.double_kernel import module

pytestmark = pytest.mark.slow

RIGHT = module("x[v] + x[v]")
WRONG = module("x[v] * T.float32(2.001)")
CRASH = module('x[v] * T.float32(2) + T.cast(T.call_extern("int32", "abort"), "float32")')
HANG = module('x[v] + T.cast(T.call_extern("int32", "pause"), "float32")')


class Simulated(LocalTransport):
    """This machine as one of several boards: it may be lost after some programs, and be slower than it says."""

    def __init__(self, name: str, lost_after: int = 1000, slowness: float = 1.0) -> None:
        super().__init__()
        self.board = name
        self._left = lost_after
        self._slowness = slowness

    def run(self, argv: Sequence[str], *, timeout: float) -> Completed:
        self._left -= 1
        if self._left < 0:
            raise BoardLost(f"board {self.board}: lost")
        done = self._start(argv, timeout=timeout, environment={})
        return Completed(done.code, _slower(done.output, self._slowness), done.errors)


def _slower(output: bytes, factor: float) -> bytes:
    """A fixed time times ``factor``: what this machine really takes varies too much to tell boards apart by."""
    lines = [json.loads(line) for line in output.splitlines()]
    return b"".join(
        json.dumps(line | ({"ns": 100 * factor} if "ns" in line else {})).encode() + b"\n" for line in lines
    )


@pytest.fixture(scope="module")
def nursery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    nursery = Nursery(tmp_path_factory.mktemp("nursery") / "log")
    yield nursery
    nursery.close()


@pytest.fixture(autouse=True)
def quick_and_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgeprune.tuning.candidate_program.MEASURE_SECONDS", 2)
    monkeypatch.setattr("edgeprune.tuning.place._PAUSE_SECONDS", 0.05)
    monkeypatch.setenv("EDGEPRUNE_LOCK_DIRECTORY", str(tmp_path))


class Boards:
    """Gives a fleet one transport after another, and keeps what it was told."""

    def __init__(self, nursery: Nursery, directory: Path, target: Target) -> None:
        self.notes: list[str] = []
        self._nursery, self._directory, self._target = nursery, directory, target
        self._opened = 0

    def pipeline(self, openers: Sequence[Callable[[], Transport]], places: int) -> Pipeline:
        cores, core, left = Cores.available(), board_core(self._target), list(openers)

        def open_board() -> Board:
            self._opened += 1
            directory = self._directory / f"board-{self._opened}"
            directory.mkdir()
            if not left:
                raise BoardLost("no board answers")
            modelled = None if isinstance(core, Unavailable) else core
            return Board(left.pop(0)(), toolchain_for(self._target), directory, modelled)

        host = LocalRunner(self._nursery, self._directory, cores.runner, native_target(), 3)
        fleet = Fleet(
            self._directory, tvm_target(self._target), host, open_board(), open_board, places,
            calibrate=places > 1 and not self._target.emulated, notify=self.notes.append,
        )  # fmt: skip
        pipeline = Pipeline(self._nursery, self._directory, cores, fleet, self.notes.append)
        pipeline.add_reference("double", module("x[v] * T.float32(2)"), "double")
        return pipeline


@pytest.fixture
def boards(nursery: Nursery, tmp_path: Path, host: Target) -> Boards:
    return Boards(nursery, tmp_path, host)


def _outcomes(pipeline: Pipeline, candidates: list[tvm.IRModule]) -> list[Outcome]:
    for number, candidate in enumerate(candidates):
        pipeline.add(number, "double", "double", candidate, None)
    found: dict[int, Outcome] = {}
    try:
        while len(found) < len(candidates):
            finished = pipeline.finished(0.2)
            assert not found.keys() & dict(finished).keys()
            found.update(finished)
        assert pipeline.empty
    finally:
        pipeline.close()
    return [found[number] for number in range(len(candidates))]


def test_bad_candidates_of_a_batch_cost_only_themselves(boards: Boards) -> None:
    outcomes = _outcomes(boards.pipeline([LocalTransport], 1), [RIGHT, WRONG, CRASH, RIGHT, HANG, RIGHT])
    assert [outcome.reason for outcome in outcomes] == [
        None, "wrong result", "run crashed", None, "run timed out", None,
    ]  # fmt: skip
    assert outcomes[1].detail == "relative error 0.0005, on local"
    for outcome in (outcomes[0], outcomes[3], outcomes[5]):
        assert outcome.seconds is not None
        assert 1e-10 < outcome.seconds < 1e-3


def test_a_lost_board_costs_no_trial(boards: Boards) -> None:
    openers = [lambda: Simulated("one", lost_after=4), lambda: Simulated("two"), lambda: Simulated("three")]
    outcomes = _outcomes(boards.pipeline(openers, 2), [RIGHT] * 36)
    assert {outcome.reason for outcome in outcomes} == {None}
    assert [note for note in boards.notes if "lost" in note] == ["board one: lost; another board does its work"]


def test_a_candidate_that_two_boards_go_away_with_is_a_failure(boards: Boards) -> None:
    openers = [lambda: Simulated("one", lost_after=0), lambda: Simulated("two", lost_after=0), lambda: Simulated("3")]
    outcomes = _outcomes(boards.pipeline(openers, 1), [RIGHT])
    assert outcomes == [Outcome(None, "board lost", "board two: lost")]


def test_no_board_left_ends_the_run(boards: Boards) -> None:
    with pytest.raises(BoardLost, match="no board answers"):
        _outcomes(boards.pipeline([lambda: Simulated("one", lost_after=0)], 1), [RIGHT] * 3)


def test_a_board_that_refuses_is_left_out_and_alone_ends_the_run(boards: Boards) -> None:
    def full() -> Transport:
        raise StageFailure("board two: disk full")

    outcomes = _outcomes(boards.pipeline([lambda: Simulated("one"), *[full] * 3], 2), [RIGHT] * 3)
    assert {outcome.reason for outcome in outcomes} == {None}


def test_a_full_disk_here_is_not_put_down_to_a_board(boards: Boards, monkeypatch: pytest.MonkeyPatch) -> None:
    def fill(*_: object) -> Path:
        raise StageFailure("linking candidates: zig failed")

    monkeypatch.setattr("edgeprune.tuning.board.link_candidates", fill)
    monkeypatch.setattr("edgeprune.tuning.fleet.has_little_space", lambda _: True)
    with pytest.raises(StageFailure, match="linking candidates"):
        _outcomes(boards.pipeline([lambda: Simulated("one"), lambda: Simulated("two")], 2), [RIGHT] * 3)
    assert not [note for note in boards.notes if "another board" in note]


def test_a_board_that_computes_something_else_is_left_out_and_blames_no_candidate(boards: Boards) -> None:
    class Wrong(Simulated):
        def run(self, argv: Sequence[str], *, timeout: float) -> Completed:
            done = super().run(argv, timeout=timeout)
            lines = [{"candidate": json.loads(line)["candidate"], "error": 0.5} for line in done.output.splitlines()]
            return Completed(done.code, b"".join(json.dumps(line).encode() + b"\n" for line in lines), done.errors)

    openers = [lambda: Simulated("one"), lambda: Wrong("two"), lambda: Wrong("three")]
    outcomes = _outcomes(boards.pipeline(openers, 3), [RIGHT] * 36)
    assert {outcome.reason for outcome in outcomes} == {None}
    [told] = [note for note in boards.notes if "two" in note]
    assert told == (
        "board two: kernel double, untuned: wrong result: relative error 0.5: the board is left out; "
        "another board does its work"
    )
    with pytest.raises(StageFailure, match="board two: kernel double, untuned: wrong result"):
        _outcomes(boards.pipeline([lambda: Wrong("two"), lambda: Wrong("two")], 2), [RIGHT] * 3)


def test_boards_that_differ_are_reported_once(boards: Boards) -> None:
    openers = [
        lambda: Simulated("one"),
        lambda: Simulated("two", slowness=1.2),
        lambda: Simulated("three", slowness=1.04),
    ]
    pipeline = boards.pipeline(openers, 3)
    _outcomes(pipeline, [RIGHT] * 48)
    assert [note for note in boards.notes if "calibration" in note and note.startswith("two takes")] != []
    assert len([note for note in boards.notes if note.startswith("two takes")]) == 1
    assert not [note for note in boards.notes if note.startswith(("one takes", "three takes"))]


def test_of_two_boards_the_slower_is_reported_by_all_that_they_differ(boards: Boards) -> None:
    pipeline = boards.pipeline([lambda: Simulated("one"), lambda: Simulated("two", slowness=1.08)], 2)
    _outcomes(pipeline, [RIGHT] * 48)
    told = [note for note in boards.notes if "calibration" in note]
    assert [note.partition(":")[0] for note in told] == [
        "two takes 8% more time for the calibration kernel than the middle of 2 boards"
    ]


def test_times_under_an_emulator_that_the_target_does_not_name_are_refused(nursery: Nursery, tmp_path: Path) -> None:
    """Linux may hand a foreign program to QEMU by itself, on this machine or on a board."""
    target = find_target("rpi3")
    assert target.emulator is not None
    qemu, cpu = emulator(target.emulator.program), target.emulator.cpu

    class Hidden(LocalTransport):
        def run(self, argv: Sequence[str], *, timeout: float) -> Completed:
            command = qemu.command(argv, cpu=cpu)
            return self._start(command, timeout=timeout, environment=qemu.environment())

    with pytest.raises(StageFailure, match="times mean nothing, as it runs under qemu-aarch64"):
        _outcomes(Boards(nursery, tmp_path, target).pipeline([Hidden], 1), [RIGHT])


@pytest.mark.parametrize("name", ["rpi3", "cortex-a7"])
def test_an_emulated_board_takes_as_long_again_and_no_longer_with_vectors(
    name: str, nursery: Nursery, tmp_path: Path
) -> None:
    target = find_target(name)
    assert target.emulator is not None
    program, cpu = emulator(target.emulator.program), target.emulator.cpu
    schedule = Schedule(RIGHT)
    _, lane = schedule.split(schedule.get_loops(schedule.get_sblock("y"))[0], [None, 4])
    schedule.vectorize(lane)
    pipeline = Boards(nursery, tmp_path, target).pipeline([lambda: QemuTransport(program, cpu)] * 2, 2)
    plain, again, crash, vectors, wrong = _outcomes(pipeline, [RIGHT, RIGHT, CRASH, schedule.mod, WRONG])
    assert plain.seconds == again.seconds
    assert plain.seconds is not None
    assert crash.reason == "run crashed"
    assert vectors.seconds is not None
    assert vectors.seconds <= plain.seconds
    assert wrong.reason == "wrong result"
