"""Tuning for real: a tiny convolution on this machine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tvm.s_tir import meta_schedule as ms

from edgeprune.errors import StageFailure
from edgeprune.lowering import Lowered
from edgeprune.lowering.schedule import schedule
from edgeprune.progress import Table
from edgeprune.recipe.schema import Tune
from edgeprune.target import Target, find_target
from edgeprune.tuning.database import RECORDS, WORKLOADS, Database
from edgeprune.tuning.descriptor import describe
from edgeprune.tuning.engine import tune
from edgeprune.tuning.kernel_state import KernelState
from edgeprune.tuning.kernels import extract_kernels
from edgeprune.tuning.outcome import Outcome
from edgeprune.tuning.quota import divide
from edgeprune.tuning.search import Proposal
from edgeprune.tuning.session import Session
from edgeprune.tuning.snapshot import snapshot


class Listener:
    def __init__(self) -> None:
        self.stages: list[tuple[str, int | None]] = []
        self.messages: list[str] = []
        self.notes: list[str] = []
        self.tables: list[Table] = []

    def stage(self, name: str, total: int | None) -> None:
        self.stages.append((name, total))

    def advance(self, message: str) -> None:
        self.messages.append(message)

    def note(self, message: str) -> None:
        self.notes.append(message)

    def table(self, table: Table) -> None:
        self.tables.append(table)


def test_no_trials_is_said_not_hidden(tiny: Lowered, host: Target, tmp_path: Path) -> None:
    listener = Listener()
    result = tune(tiny, host, Tune(trials=0), database=tmp_path, progress=listener)
    assert (result.trials, result.hit_rate, result.best_us) == (0, 0.0, None)
    assert result.note == "not tuned for host: the budget is 0 trials"
    assert listener.notes == [result.note]


def test_an_emulated_board_is_not_timed(tiny: Lowered, tmp_path: Path) -> None:
    result = tune(tiny, find_target("rpi3"), Tune(trials=8), database=tmp_path)
    assert result.trials == 0
    assert result.note == (
        "not tuned for rpi3: it is emulated here, and emulated time says nothing about the device; "
        "tune.emulated = true (--emulated) tunes by estimated cycles"
    )


@pytest.mark.slow
def test_trials_are_made_once_and_topped_up(tiny: Lowered, host: Target, tmp_path: Path) -> None:
    listener = Listener()
    first = tune(tiny, host, Tune(trials=10), database=tmp_path, seed=1, progress=listener)
    convolution = max(first.kernels, key=lambda kernel: kernel.trials)
    quotas = divide(10, extract_kernels(tiny, host))
    assert convolution.trials == quotas[convolution.workload] > 4
    # The space of a kernel that only copies may hold fewer schedules than its quota.
    assert convolution.trials < first.trials <= 10
    assert listener.stages == [("tune host", 10)]
    assert len(listener.messages) == first.trials
    assert all("µs per inference" in message for message in listener.messages[-3:])
    assert convolution.best_us is not None
    assert convolution.baseline_us is not None

    again = tune(tiny, host, Tune(trials=10), database=tmp_path, seed=1)
    assert again.trials == 0
    assert again.note == "nothing left to tune for host: the database holds the trials already"
    assert again.best_us == first.best_us
    assert sum(kernel.reused for kernel in again.kernels) == first.trials

    more = tune(tiny, host, Tune(trials=14), database=tmp_path, seed=1)
    assert 0 < more.trials <= 4
    assert more.best_us is not None
    _check_snapshots(tiny, host, tmp_path)


@pytest.mark.slow
def test_trials_that_all_failed_are_an_error_also_the_second_time(
    tiny: Lowered, host: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgeprune.tuning.session.Session._finish_trial", failing(Session._finish_trial))
    for _ in range(2):
        with pytest.raises(StageFailure, match=r"no valid schedule in \d+ trials: \d+ x wrong result; a larger budget"):
            tune(tiny, host, Tune(trials=10), database=tmp_path)


def failing(finish: Callable[..., None]) -> Callable[..., None]:
    """Have every trial be one whose result is wrong."""

    def finish_wrong(session: Session, state: KernelState, proposal: Proposal, outcome: Outcome) -> None:
        finish(session, state, proposal, Outcome(None, "wrong result"))

    return finish_wrong


@pytest.mark.slow
def test_the_untuned_schedule_keeps_its_fastest_time(tiny: Lowered, host: Target, tmp_path: Path) -> None:
    first = tune(tiny, host, Tune(trials=2), database=tmp_path)
    known = Database(describe(host).directory(tmp_path), describe(host))
    for kernel in first.kernels:
        baseline = known.baseline(kernel.workload)
        assert baseline is not None
        known.set_baseline(kernel.workload, 1e-12, baseline.schedule)
    again = tune(tiny, host, Tune(trials=4), database=tmp_path)
    assert again.trials > 0
    assert [kernel.baseline_us for kernel in again.kernels] == [pytest.approx(1e-6)] * len(again.kernels)


def _check_snapshots(tiny: Lowered, host: Target, database: Path) -> None:
    out, twin = database / "out", database / "twin"
    count = snapshot(database, tiny, host, out, best=3)
    assert snapshot(database, tiny, host, twin, best=3) == count
    assert [(out / name).read_bytes() for name in (WORKLOADS, RECORDS)] == [
        (twin / name).read_bytes() for name in (WORKLOADS, RECORDS)
    ]
    assert count == len((out / RECORDS).read_text().splitlines())
    scheduled = schedule(tiny, host, out)
    applied = sum(scheduled.tuned.values())
    assert applied == len((out / WORKLOADS).read_text().splitlines())
    descriptor = describe(host)
    whole = ms.database.JSONDatabase(work_dir=str(descriptor.directory(database)))
    kernels = extract_kernels(tiny, host)
    assert all(whole.has_workload(kernel.module) for kernel in kernels)
