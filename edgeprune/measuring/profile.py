"""A network's steps with the time each takes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgeprune.errors import StageFailure
from edgeprune.measuring.bench_artifact import BenchArtifact
from edgeprune.measuring.bench_run import BenchRun, StepTimes


@dataclass(frozen=True)
class ProfiledStep:
    """One step of an inference, times in nanoseconds: the median over ``runs`` profiled inferences, and the fastest.

    ``nodes`` are the ONNX nodes the step computes, ``flop`` and ``bytes`` what it computes and must move at least.
    Reading the clock, once per step, is taken off.
    """

    kernel: str
    nodes: tuple[str, ...]
    flop: int
    bytes: int
    p50: float
    min: float
    runs: int


def profiled_steps(run: BenchRun, artifact: BenchArtifact) -> tuple[ProfiledStep, ...]:
    """Return the steps of the run's profile in the order of execution; nothing where it was not profiled.

    Raises:
        StageFailure: executable and manifest do not belong together.
    """
    if not run.profile:
        return ()
    if [step.name.partition(": ")[0] for step in run.profile] != [step.kernel for step in artifact.steps]:
        raise StageFailure(f"{artifact.executable}: its steps are not those of manifest.json beside it; build again")
    clock = float(run.clock["overhead_ns"])
    steps = zip(artifact.steps, run.profile, strict=True)
    return tuple(
        ProfiledStep(step.kernel, step.nodes, step.flop, step.bytes, *_times(times, clock), len(times.samples_ns))
        for step, times in steps
    )


def _times(step: StepTimes, clock: float) -> tuple[float, float]:
    return max(0.0, float(np.median(step.samples_ns)) - clock), max(0.0, float(step.samples_ns.min()) - clock)
