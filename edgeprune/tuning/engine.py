"""Tuning a network for a device: only what the database does not hold yet."""

from __future__ import annotations

import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from edgeprune.emulation import Unavailable
from edgeprune.errors import StageFailure, UserError
from edgeprune.lowering import Lowered, tvm_target
from edgeprune.measuring.board_core import board_core
from edgeprune.measuring.open_transport import open_transport
from edgeprune.progress import Progress, SilentProgress
from edgeprune.recipe.schema import Tune
from edgeprune.target import Target
from edgeprune.toolchain import toolchain_for
from edgeprune.tuning.board_runner import BoardRunner
from edgeprune.tuning.cpu_intrinsics import register_cpu_intrinsics
from edgeprune.tuning.database import Database
from edgeprune.tuning.descriptor import describe
from edgeprune.tuning.estimated_time import basis
from edgeprune.tuning.kernel_state import KernelState
from edgeprune.tuning.kernels import extract_kernels
from edgeprune.tuning.local_runner import LocalRunner
from edgeprune.tuning.pipeline import Cores, Pipeline, off_the_measuring_core
from edgeprune.tuning.quota import divide
from edgeprune.tuning.result import TuningResult
from edgeprune.tuning.runner import Runner
from edgeprune.tuning.session import Session


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
    estimates. After ``budget.seconds`` no new candidates are proposed. A kill at any moment loses the candidates in
    flight, no more.

    Raises:
        UserError: the records found were measured for another device, or a file of theirs is damaged.
        StageFailure: a kernel has used its trials without one valid result (the message gives the reasons), or
            cannot be compiled at all, or the disk is full.
    """
    progress = progress or SilentProgress()
    started = time.monotonic()
    register_cpu_intrinsics()
    descriptor = describe(target)
    records = Database(descriptor.directory(database), descriptor)
    if records.dropped_bytes:
        progress.note(f"{records.directory}: dropped {records.dropped_bytes} bytes of a record that was never finished")
    states = _states(lowered, target, budget, records)
    note = _why_nothing_to_do(target, budget, states)
    if note:
        progress.note(note)
    else:
        _run(states, target, budget, records, seed, progress, started)
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


def _states(lowered: Lowered, target: Target, budget: Tune, records: Database) -> list[KernelState]:
    kernels = extract_kernels(lowered, target)
    quotas = divide(budget.trials, kernels)
    states = []
    for kernel in kernels:
        state = KernelState(kernel, quotas[kernel.workload], records.trials(kernel.workload))
        state.baseline = records.baseline(kernel.workload)
        state.exhausted = records.exhausted(kernel.workload)
        states.append(state)
    return states


def _why_nothing_to_do(target: Target, budget: Tune, states: list[KernelState]) -> str:
    if budget.trials == 0:
        return f"not tuned for {target.name}: the budget is 0 trials"
    if target.emulated and not budget.emulated:
        return (
            f"not tuned for {target.name}: it is emulated here, and emulated time says nothing about the device; "
            "tune.emulated = true tunes by estimated cycles"
        )
    core = board_core(target)
    if target.emulated and isinstance(core, Unavailable):
        return f"not tuned for {target.name}: {core.reason}; {core.mend}"
    if target.transport != "local" and target.cpu.precision != "float32":
        return f"not tuned for {target.name}: candidates in {target.cpu.precision} cannot be compared yet"
    if not any(state.remaining for state in states):
        return f"nothing left to tune for {target.name}: the database holds the trials already"
    return ""


def _run(
    states: list[KernelState],
    target: Target,
    budget: Tune,
    records: Database,
    seed: int,
    progress: Progress,
    started: float,
) -> None:
    cores = Cores.available()
    compiled_for = tvm_target(target)
    with ExitStack() as resources:
        scratch = Path(resources.enter_context(tempfile.TemporaryDirectory(prefix="edgeprune-tune-")))
        runner = _runner(target, scratch, cores, seed, resources)
        pipeline = Pipeline(scratch, cores, runner)
        resources.callback(pipeline.close)
        if runner.alone:
            resources.enter_context(off_the_measuring_core(cores))
        progress.stage(f"tune {target.name}", sum(state.remaining for state in states))
        session = Session(states, pipeline, records, compiled_for, seed, progress, scratch)
        session.run(deadline=started + budget.seconds)
    for state in states:
        if state.best is None and state.failures and not state.remaining:
            reasons = ", ".join(f"{count} x {reason}" for reason, count in sorted(state.failures.items()))
            raise StageFailure(f"kernel {state.kernel.name}: no valid schedule in {state.quota} trials: {reasons}")


def _runner(target: Target, scratch: Path, cores: Cores, seed: int, resources: ExitStack) -> Runner:
    if target.transport == "local":
        return LocalRunner(scratch, cores.runner, tvm_target(target), seed)
    transport = open_transport(target)
    if isinstance(transport, Unavailable):
        raise UserError(f"tuning for {target.name}: {transport.reason}; {transport.mend}")
    resources.enter_context(transport)
    core = board_core(target) if target.emulated else None
    assert not isinstance(core, Unavailable)  # there would be nothing to do
    return BoardRunner(scratch, cores.runner, tvm_target(target), toolchain_for(target), transport, seed, core)
