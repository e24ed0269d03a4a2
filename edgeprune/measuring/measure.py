"""Measuring an artifact: timed on a real board, counted under an emulator."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from edgeprune.emulation import CyclesEstimate, InstructionCount, Unavailable
from edgeprune.errors import StageFailure
from edgeprune.measuring.bench_artifact import BenchArtifact
from edgeprune.measuring.bench_run import read_bench_run
from edgeprune.measuring.board_core import BoardCore, board_core
from edgeprune.measuring.hidden_emulation import refuse_hidden_emulation
from edgeprune.measuring.measurement import EmulatorUsed, EstimatedCycles, Measurement, NotRun
from edgeprune.measuring.open_transport import opened
from edgeprune.measuring.profile import profiled_steps
from edgeprune.measuring.protocol import least_seconds, protocol_of, thread_options, timed_options
from edgeprune.measuring.qemu_transport import QemuTransport
from edgeprune.measuring.roofline import Placement, roofline
from edgeprune.measuring.statistics import summarise
from edgeprune.measuring.transport import Transport
from edgeprune.measuring.verdicts import judge
from edgeprune.progress import Progress, SilentProgress
from edgeprune.recipe import Measure
from edgeprune.target import Target

TIMEOUT_S = 900.0


def measure(
    artifact_dir: Path,
    target: Target,
    settings: Measure,
    *,
    transport: Transport | None = None,
    progress: Progress | None = None,
    timeout: float = TIMEOUT_S,
) -> Measurement | NotRun:
    """Run the artifact's benchmark executable on ``target`` and return what it showed.

    The golden check comes first in every run. A real board then runs untimed and timed inferences as ``settings`` say;
    an emulated one runs a single inference, on ``settings.threads``, whose instructions are counted. Without
    ``transport`` the target's own is opened, and closed again; a given one stays open. ``timeout`` is in seconds,
    beside those that ``settings`` ask for.

    Raises:
        ParityError: the artifact computes wrong values on the board.
        StageFailure: it could not run to its end there, within ``timeout`` seconds.
        UserError: ``artifact_dir`` holds no artifact.
    """
    progress = progress or SilentProgress()
    artifact = BenchArtifact.load(artifact_dir)
    with opened(target, transport, progress.note) as board:
        if isinstance(board, Unavailable):
            progress.note(f"{artifact.variant} on {target.name}: not run: {board.reason}")
            return NotRun(artifact.model, artifact.variant, target.name, board)
        executable = board.push(artifact.executable)
        if isinstance(board, QemuTransport):
            return _emulated(board, executable, artifact, target, settings, timeout)
        if board.emulated:
            raise StageFailure(f"{target.name}: transport {board.name!r} emulates the CPU but counts no instructions")
        return _measured(board, executable, artifact, target, settings, timeout)


def _measured(
    board: Transport, executable: str, artifact: BenchArtifact, target: Target, settings: Measure, timeout: float
) -> Measurement:
    done = board.run([executable, *timed_options(settings)], timeout=timeout + least_seconds(settings))
    run = read_bench_run(done, f"{artifact.model} ({artifact.variant}) on {target.name}")
    refuse_hidden_emulation(board, run, target)
    latency = summarise(run.samples_ns)
    steps = profiled_steps(run, artifact)
    placed = Placement(run.threads, run.environment["before"]["affinity"], settings.affinity)
    return Measurement(
        model=artifact.model,
        variant=artifact.variant,
        target=target.name,
        provenance="measured",
        transport=board.name,
        board=board.board,
        check=run.check,
        warmup=run.warmup,
        latency=latency,
        samples_ns=tuple(run.samples_ns.tolist()),
        verdicts=judge(
            run.samples_ns,
            latency,
            run.environment,
            run.clock,
            cores_used=run.cores_used,
            cooldown=run.cooldown,
        ),
        clock=run.clock,
        environment=run.environment,
        threads=run.threads,
        protocol={"name": settings.protocol, **asdict(protocol_of(settings))},
        cores_used=run.cores_used,
        cold_bytes=run.cold_bytes,
        cooldown=run.cooldown,
        profile=steps,
        roofline=roofline(steps, latency.p50, target, artifact.precision, placed),
    )


def _emulated(
    board: QemuTransport, executable: str, artifact: BenchArtifact, target: Target, settings: Measure, timeout: float
) -> Measurement:
    """The golden check is the warm-up: it ran the code that runs once, and left the modelled caches as a run does."""
    modelled = board_core(target)
    options = ["--warmup", "0", "--region", *thread_options(settings)]
    counted = board.count([executable, *options], timeout=timeout, modelled=modelled)
    run = read_bench_run(counted.done, f"{artifact.model} ({artifact.variant}) on emulated {target.name}")
    return Measurement(
        model=artifact.model,
        variant=artifact.variant,
        target=target.name,
        provenance="emulated",
        transport=board.name,
        board=board.board,
        check=run.check,
        warmup=run.warmup,
        instructions=counted.instructions if isinstance(counted.instructions, InstructionCount) else None,
        instructions_absent=counted.instructions if isinstance(counted.instructions, Unavailable) else None,
        cycles_estimated=_estimate(counted.cycles, modelled),
        cycles_absent=counted.cycles if isinstance(counted.cycles, Unavailable) else None,
        emulator=EmulatorUsed(board.qemu.program, board.qemu.version, board.cpu),
        threads=run.threads,
    )


def _estimate(cycles: CyclesEstimate | Unavailable, modelled: BoardCore | Unavailable) -> EstimatedCycles | None:
    if isinstance(cycles, Unavailable) or isinstance(modelled, Unavailable):
        return None
    return EstimatedCycles.on(modelled, cycles)
