"""Comparing two artifacts on one board so that slow changes of the board hit both alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeprune.emulation import Unavailable
from edgeprune.errors import UserError
from edgeprune.measuring.bench_artifact import BenchArtifact
from edgeprune.measuring.bench_run import read_bench_run
from edgeprune.measuring.hidden_emulation import refuse_hidden_emulation
from edgeprune.measuring.measure import TIMEOUT_S
from edgeprune.measuring.open_transport import opened
from edgeprune.measuring.protocol import place_options
from edgeprune.measuring.statistics import Interval, Latency, ratio_interval, summarise
from edgeprune.measuring.transport import Transport
from edgeprune.progress import Progress, SilentProgress
from edgeprune.recipe import Measure
from edgeprune.target import Target


@dataclass(frozen=True)
class Comparison:
    """Latencies of artifacts A and B taken in turns on one board.

    ``first`` and ``second`` hold the statistics over all rounds; ``ratio`` is the median over the rounds of
    median(A) / median(B), above 1 when B is the faster one, with its bootstrap interval.
    """

    target: str
    rounds: int
    samples_per_round: int
    first: Latency
    second: Latency
    ratio: float
    ratio_interval: Interval

    def as_dict(self) -> dict[str, Any]:
        """Return the fields, nested, as JSON-able values."""
        return asdict(self)


def compare_interleaved(
    a_dir: Path,
    b_dir: Path,
    target: Target,
    *,
    rounds: int = 10,
    samples: int = 100,
    warmup: int = 10,
    settings: Measure | None = None,
    transport: Transport | None = None,
    progress: Progress | None = None,
    timeout: float = TIMEOUT_S,
) -> Comparison | Unavailable:
    """Run A B A B ... for ``rounds`` rounds of ``samples`` timed inferences each and compare the medians.

    ``settings`` say on which cores, with how many threads, and whether with cold caches. `Unavailable` when the board
    is emulated: its times mean nothing.

    Raises:
        ParityError, StageFailure: as for `measure`.
        UserError: a directory holds no artifact, or there are fewer than two rounds.
    """
    if rounds < 2:
        raise UserError(f"rounds: at least 2 are needed to compare, not {rounds}")
    progress = progress or SilentProgress()
    placed = place_options(settings or Measure())
    artifacts = [BenchArtifact.load(directory) for directory in (a_dir, b_dir)]
    with opened(target, transport, progress.note) as board:
        if isinstance(board, Unavailable):
            return board
        if board.emulated:
            return Unavailable(f"{target.name} is emulated: its times mean nothing", "compare on the board itself")
        # Both executables may have the same name, so each is pushed right before its turn.
        progress.stage(f"compare on {target.name}", rounds)
        taken: list[list[NDArray[np.int64]]] = [[], []]
        for index in range(rounds):
            for artifact, kept in zip(artifacts, taken, strict=True):
                options = ["--warmup", str(warmup), "--samples", str(samples), *placed]
                kept.append(take_turn(board, board.push(artifact.executable), artifact, target, options, timeout))
            progress.advance(f"round {index + 1}")
    return summarise_rounds(target.name, *(np.stack(kept) for kept in taken))


def take_turn(
    board: Transport,
    executable: str,
    artifact: BenchArtifact,
    target: Target,
    options: Sequence[str],
    timeout: float = TIMEOUT_S,
) -> NDArray[np.int64]:
    """Return the samples in nanoseconds of one run of ``executable``, which is ``artifact``'s on the board.

    Raises:
        ParityError, StageFailure: as for `measure`.
    """
    done = board.run([executable, *options], timeout=timeout)
    run = read_bench_run(done, f"{artifact.model} ({artifact.variant}) on {target.name}")
    refuse_hidden_emulation(board, run, target)
    return run.samples_ns


def summarise_rounds(target: str, first: NDArray[np.int64], second: NDArray[np.int64]) -> Comparison:
    """Return the comparison of samples in nanoseconds, both of shape ``(rounds, samples)``."""
    ratios = np.median(first, axis=1) / np.median(second, axis=1)
    return Comparison(
        target=target,
        rounds=first.shape[0],
        samples_per_round=first.shape[1],
        first=summarise(first),
        second=summarise(second),
        ratio=float(np.median(ratios)),
        ratio_interval=ratio_interval(ratios, seed=0),
    )
