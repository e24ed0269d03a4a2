"""Candidates as programs of their own: this machine and emulated ones stand for boards."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import tvm
from tvm.s_tir import Schedule

from edgeprune.emulation import Unavailable
from edgeprune.lowering import tvm_target
from edgeprune.measuring.board_core import board_core
from edgeprune.measuring.local_transport import LocalTransport
from edgeprune.measuring.qemu_transport import QemuTransport
from edgeprune.measuring.transport import Transport
from edgeprune.target import Target, find_target
from edgeprune.toolchain import toolchain_for
from edgeprune.tuning.board_runner import BoardRunner
from edgeprune.tuning.pipeline import Cores, Pipeline
from edgeprune.tuning.search import Outcome
from tests.emulator import emulator
from tests.tuning.double_kernel import module

pytestmark = pytest.mark.slow

RIGHT = module("x[v] + x[v]")
WRONG = module("x[v] * T.float32(2.001)")
CRASH = module('x[v] * T.float32(2) + T.cast(T.call_extern("int32", "abort"), "float32")')
HANG = module('x[v] + T.cast(T.call_extern("int32", "pause"), "float32")')


def _pipeline(directory: Path, target: Target, transport: Transport) -> Pipeline:
    cores, core = Cores.available(), board_core(target)
    runner = BoardRunner(
        directory, cores.runner, tvm_target(target), toolchain_for(target), transport, 3,
        None if isinstance(core, Unavailable) else core,
    )  # fmt: skip
    pipeline = Pipeline(directory, cores, runner)
    pipeline.set_reference("double", module("x[v] * T.float32(2)"), "double")
    return pipeline


@pytest.fixture
def host_pipeline(tmp_path: Path, host: Target, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pipeline]:
    monkeypatch.setattr("edgeprune.tuning.candidate_program.MEASURE_SECONDS", 2)
    with LocalTransport() as transport:
        pipeline = _pipeline(tmp_path, host, transport)
        yield pipeline
        pipeline.close()


def _outcomes(pipeline: Pipeline, candidates: list[tvm.IRModule]) -> list[Outcome]:
    for number, candidate in enumerate(candidates):
        pipeline.add(number, "double", candidate, None)
    found: dict[int, Outcome] = {}
    while len(found) < len(candidates):
        found.update(pipeline.finished(0.2))
    assert pipeline.empty
    return [found[number] for number in range(len(candidates))]


def test_bad_candidates_of_a_batch_cost_only_themselves(host_pipeline: Pipeline) -> None:
    outcomes = _outcomes(host_pipeline, [RIGHT, WRONG, CRASH, RIGHT, HANG, RIGHT])
    assert [outcome.reason for outcome in outcomes] == [
        None, "wrong result", "run crashed", None, "run timed out", None,
    ]  # fmt: skip
    assert outcomes[1].detail == "relative error 0.0005"
    for outcome in (outcomes[0], outcomes[3], outcomes[5]):
        assert outcome.seconds is not None
        assert 1e-10 < outcome.seconds < 1e-3


@pytest.mark.parametrize("name", ["rpi3", "cortex-a7"])
def test_an_emulated_board_takes_as_long_again_and_no_longer_with_vectors(name: str, tmp_path: Path) -> None:
    target = find_target(name)
    assert target.emulator is not None
    schedule = Schedule(RIGHT)
    _, lane = schedule.split(schedule.get_loops(schedule.get_sblock("y"))[0], [None, 4])
    schedule.vectorize(lane)
    with QemuTransport(emulator(target.emulator.program), target.emulator.cpu) as transport:
        pipeline = _pipeline(tmp_path, target, transport)
        plain, again, vectors, wrong = _outcomes(pipeline, [RIGHT, RIGHT, schedule.mod, WRONG])
        pipeline.close()
    assert plain.seconds == again.seconds
    assert plain.seconds is not None
    assert vectors.seconds is not None
    assert vectors.seconds <= plain.seconds
    assert wrong.reason == "wrong result"
