"""Tuning a network for a device: only what the database does not hold yet."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from edgeprune.artifact.space import explaining_little_space
from edgeprune.emulation import Unavailable
from edgeprune.errors import StageFailure
from edgeprune.lowering import Lowered, tvm_target
from edgeprune.measuring.board_core import board_core
from edgeprune.progress import Progress, SilentProgress
from edgeprune.recipe.schema import Tune
from edgeprune.scratch import scratch_directory
from edgeprune.target import Target
from edgeprune.tuning.database import Database
from edgeprune.tuning.descriptor import describe
from edgeprune.tuning.estimated_time import basis
from edgeprune.tuning.intrinsics import skip_intrinsics
from edgeprune.tuning.kernel_state import BATCH, KernelState
from edgeprune.tuning.kernels import extract_kernels
from edgeprune.tuning.nursery import Nursery
from edgeprune.tuning.open_runner import open_runner
from edgeprune.tuning.pipeline import Cores, Pipeline
from edgeprune.tuning.quota import divide
from edgeprune.tuning.result import TuningResult
from edgeprune.tuning.session import Session
from edgeprune.tuning.shipped import take_shipped
from edgeprune.tuning.transfer import Transfer
from edgeprune.tuning.untuned import schedule_key, untuned


def tune(
    lowered: Lowered,
    target: Target,
    budget: Tune,
    *,
    database: Path,
    seed: int = 0,
    progress: Progress | None = None,
) -> TuningResult:
    """Search fast schedules for the kernels of ``lowered`` and add every trial to the database.

    ``database`` is the root under which each device has a directory of its own. ``budget.trials`` counts what the
    database already holds for these kernels: the same call again makes no trial, a larger budget adds the difference.
    Boards that are only emulated are tuned where ``budget.emulated`` says so, by the cycles that a model of their core
    estimates. Behind a tracker ``budget.boards`` of the target's key work side by side, by default all it knows. After
    ``budget.seconds`` no new candidates are proposed. A kill at any moment loses the candidates in flight, no more.

    Raises:
        UserError: the records found were measured for another device, or a file of theirs is damaged; the target's
            address names no board.
        BoardLost: the board or tracker cannot be reached.
        StageFailure: a kernel has used a batch of trials or more without one valid result (the message gives the
            reasons), or cannot be compiled at all; the time ended before the first trial; or the disk is full.
    """
    progress = progress or SilentProgress()
    started = time.monotonic()
    skip_intrinsics()
    descriptor = describe(target)
    shipped = take_shipped(database, descriptor)
    if shipped:
        progress.note(f"{shipped} trials that come with edgeprune are taken over for {descriptor.cpu}")
    records = Database(descriptor.directory(database), descriptor)
    if records.dropped_bytes:
        progress.note(f"{records.directory}: dropped {records.dropped_bytes} bytes of a record that was never finished")
    states = _states(lowered, target, budget, records)
    run = _Run(states, target, budget, records, database, seed, progress, started)
    note = why_not(target, budget)
    if note:
        note += "; what the database holds is used" if any(state.best is not None for state in states) else ""
        progress.note(note)
    elif any(state.remaining or state.stale for state in states):
        _run(run)
        _require_results(run)
    else:
        note = f"nothing left to tune for {target.name}: the database holds the trials already"
        progress.note(note)
        _require_results(run)
    return TuningResult(
        target=target.name,
        descriptor=descriptor.key,
        provenance=descriptor.provenance,
        basis=basis(target),
        kernels=tuple(state.result() for state in states),
        trials=sum(state.trials for state in states),
        seconds=time.monotonic() - started,
        note=note,
    )


@dataclass(frozen=True)
class _Run:
    """What one call of `tune` works with."""

    states: list[KernelState]
    target: Target
    budget: Tune
    records: Database
    root: Path
    seed: int
    progress: Progress
    started: float


def _states(lowered: Lowered, target: Target, budget: Tune, records: Database) -> list[KernelState]:
    kernels = extract_kernels(lowered, target)
    quotas = divide(budget.trials, kernels)
    compiled_for = tvm_target(target)
    states = []
    for kernel in kernels:
        key = schedule_key(untuned(kernel, compiled_for))
        state = KernelState(kernel, quotas[kernel.workload], records.trials(kernel.workload), key)
        state.baseline = records.untuned_seconds(kernel.workload, key)
        state.exhausted = records.exhausted(kernel.workload)
        states.append(state)
    return states


def why_not(target: Target, budget: Tune) -> str:
    """Return why ``target`` is not tuned at all, "" where it is."""
    if budget.trials == 0:
        return f"not tuned for {target.name}: the budget is 0 trials"
    if target.emulated and not budget.emulated:
        return (
            f"not tuned for {target.name}: it is emulated here, and emulated time says nothing about the device; "
            "tune.emulated = true (--emulated) tunes by estimated cycles"
        )
    core = board_core(target)
    if target.emulated and isinstance(core, Unavailable):
        return f"not tuned for {target.name}: {core.reason}; {core.mend}"
    return ""


def _run(run: _Run) -> None:
    cores = Cores.available()
    with ExitStack() as resources:
        scratch = resources.enter_context(scratch_directory("tune"))
        resources.enter_context(explaining_little_space(scratch))
        nursery = Nursery(scratch / "nursery.log")
        resources.callback(nursery.close)
        runner = open_runner(run.target, nursery, scratch, cores, run.seed, run.budget.boards, run.progress.note)
        pipeline = Pipeline(nursery, scratch, cores, runner, run.progress.note)
        resources.callback(pipeline.close)
        run.progress.stage(f"tune {run.target.name}", sum(state.remaining for state in run.states))
        session = Session(
            run.states,
            pipeline,
            run.records,
            tvm_target(run.target),
            run.seed,
            run.progress,
            scratch,
            Transfer(run.records, run.root, describe(run.target)),
        )
        session.run(deadline=run.started + run.budget.seconds)


def _require_results(run: _Run) -> None:
    """Fail loudly where tuning found nothing at all; a kernel that only had a few trials keeps its untuned schedule."""
    tried = [state for state in run.states if state.trials + state.reused]
    for state in tried:
        if state.best is not None or state.remaining:
            continue
        reasons = ", ".join(f"{count} x {reason}" for reason, count in sorted(state.failures.items()))
        failed = f"kernel {state.kernel.name}: no valid schedule in {state.trials + state.reused} trials: {reasons}"
        if state.trials + state.reused >= BATCH or all(other.best is None for other in tried):
            raise StageFailure(
                f"{failed}; a larger budget tries others; if the board was at fault, remove {_place(run)}"
            )
        run.progress.note(f"{failed}; it keeps its untuned schedule")
    _say_what_is_left(run)


def _place(run: _Run) -> Path:
    """Return where the records lie that these trials went to."""
    return describe(run.target).directory(run.root)


def _say_what_is_left(run: _Run) -> None:
    """Fail where the time was too short for a single new trial; say why others of the budget were not made."""
    left = sum(state.remaining for state in run.states)
    over = f"{run.budget.seconds:g} s"
    if left and not any(state.trials for state in run.states):
        raise StageFailure(
            f"tuning for {run.target.name}: {over} ended before the first trial of {left}; raise tune.seconds "
            "(--seconds)"
        )
    if left:
        run.progress.note(f"{over} are over and {left} trials of the budget not made; the same command goes on")
        return
    given_up = sum(max(0, state.quota - state.reused - state.trials) for state in run.states)
    if given_up:
        run.progress.note(
            f"{given_up} trials of the budget were not needed: their kernels no longer improve, or have no further "
            "schedules"
        )
