"""What a bad candidate costs: itself, with the reason counted, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from multiprocessing.connection import wait
from pathlib import Path

import numpy as np
import pytest
import tvm

from edgeprune.errors import StageFailure
from edgeprune.lowering import tvm_target
from edgeprune.target import Target
from edgeprune.tuning.local_runner import LocalRunner
from edgeprune.tuning.measure_candidate import make_inputs
from edgeprune.tuning.nursery import Nursery
from edgeprune.tuning.outcome import Outcome
from edgeprune.tuning.pipeline import Cores, Pipeline
from edgeprune.tuning.plan import Buffer
from edgeprune.tuning.worker import Worker
from tests.tuning.double_kernel import double, module

pytestmark = pytest.mark.slow


def _on_a_gpu() -> tvm.IRModule:
    schedule = tvm.s_tir.Schedule(double("x[v] * T.float32(2)"))
    schedule.bind(schedule.get_loops(schedule.get_sblock("y"))[0], "threadIdx.x")
    return schedule.mod


@pytest.fixture(scope="module")
def nursery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    nursery = Nursery(tmp_path_factory.mktemp("nursery") / "log")
    yield nursery
    nursery.close()


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory, nursery: Nursery, host: Target) -> Iterator[Pipeline]:
    directory, cores = tmp_path_factory.mktemp("pipeline"), Cores.available()
    runner = LocalRunner(nursery, directory, cores.runner, tvm_target(host), seed=3)
    pipeline = Pipeline(nursery, directory, cores, runner)
    pipeline.add_reference("double", tvm.IRModule({"main": double("x[v] * T.float32(2)")}), "double")
    yield pipeline
    pipeline.close()


@pytest.fixture(autouse=True)
def own_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEPRUNE_LOCK_DIRECTORY", str(tmp_path))


def _outcome(pipeline: Pipeline, number: int, module: tvm.IRModule) -> Outcome:
    pipeline.add(number, "double", "double", module, None)
    while True:
        for finished, outcome in pipeline.finished(0.2):
            assert finished == number
            assert pipeline.empty
            return outcome


def test_a_right_candidate_is_timed(pipeline: Pipeline) -> None:
    outcome = _outcome(pipeline, 1, module("x[v] + x[v]"))
    assert outcome.reason is None
    assert outcome.seconds is not None
    assert 1e-9 < outcome.seconds < 1e-3


def test_a_wrong_result_is_found(pipeline: Pipeline) -> None:
    outcome = _outcome(pipeline, 2, module("x[v] * T.float32(2.001)"))
    assert (outcome.seconds, outcome.reason) == (None, "wrong result")
    assert outcome.detail == "relative error 0.0005"


def test_a_build_that_raises_is_counted(pipeline: Pipeline) -> None:
    outcome = _outcome(pipeline, 3, _on_a_gpu())
    assert (outcome.seconds, outcome.reason) == (None, "build error")
    assert outcome.detail


def test_on_a_full_disk_no_candidate_is_blamed(nursery: Nursery, host: Target, tmp_path: Path) -> None:
    def full(_: Path) -> bool:
        return True

    cores = Cores.available()
    runner = LocalRunner(nursery, tmp_path, cores.runner, tvm_target(host), seed=3)
    pipeline = Pipeline(nursery, tmp_path, cores, runner)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("edgeprune.tuning.pipeline.has_little_space", full)
        try:
            with pytest.raises(StageFailure, match="double: build error: "):
                _outcome(pipeline, 1, _on_a_gpu())
        finally:
            pipeline.close()


def test_a_crash_costs_one_candidate_and_the_references_survive_it(pipeline: Pipeline) -> None:
    outcome = _outcome(pipeline, 4, module('x[v] * T.float32(2) + T.cast(T.call_extern("int32", "abort"), "float32")'))
    assert (outcome.seconds, outcome.reason) == (None, "run crashed")
    assert _outcome(pipeline, 5, module("x[v] + x[v]")).reason is None


def test_a_hang_is_ended(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgeprune.tuning.local_runner.MEASURE_SECONDS", 2.0)
    outcome = _outcome(pipeline, 6, module('x[v] + T.cast(T.call_extern("int32", "sleep", 60), "float32")'))
    assert (outcome.seconds, outcome.reason) == (None, "run timed out")


def test_a_kernel_that_cannot_be_built_at_all_fails_the_run(pipeline: Pipeline) -> None:
    with pytest.raises(StageFailure, match="kernel bound: without any schedule: build error: "):
        pipeline.add_reference("bound", _on_a_gpu(), "bound")
        while not pipeline.empty:
            pipeline.finished(0.2)


def test_a_worker_that_is_stopped_loses_no_time(nursery: Nursery, tmp_path: Path) -> None:
    worker = Worker(nursery, tmp_path / "log", Cores.available().builders)
    worker.submit({"kind": "nothing"}, seconds=1000.0)
    worker.pause()
    before = worker._deadline
    worker.resume()
    assert before is not None
    assert worker._deadline is not None
    assert worker._deadline > before
    while (outcome := worker.poll()) is None:
        wait([worker.connection], timeout=0.2)
    assert outcome == {"reason": "run error", "detail": "'nothing'"}
    worker.close()


def test_a_nursery_that_cannot_start_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgeprune.tuning.nursery.sys.executable", "/bin/false")
    nursery = Nursery(tmp_path / "log")
    with pytest.raises(StageFailure, match="the tuning processes ended"):
        nursery.spawn(tmp_path / "worker.log", (0,))
    nursery.close()


def test_inputs_depend_on_the_seed_alone() -> None:
    buffers = (Buffer((3,), "float32"), Buffer((2, 2), "int8"))
    first, again, other = make_inputs(buffers, 1), make_inputs(buffers, 1), make_inputs(buffers, 2)
    assert [array.dtype.name for array in first] == ["float32", "int8"]
    assert all(np.array_equal(left, right) for left, right in zip(first, again, strict=True))
    assert not np.array_equal(first[0], other[0])
