"""Building the artifacts that are compared, and letting them take turns on the board."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from edgeprune.artifact import build_artifact
from edgeprune.emulation import Unavailable
from edgeprune.errors import StageFailure, UserError
from edgeprune.lowering import Lowered, read_program, schedule
from edgeprune.measuring import Measurement, Transport, measure
from edgeprune.measuring.bench_artifact import BenchArtifact
from edgeprune.measuring.compare_interleaved import take_turn
from edgeprune.measuring.open_transport import opened
from edgeprune.measuring.protocol import place_options
from edgeprune.measuring.transport import BoardLost
from edgeprune.onnx_reference import made_records
from edgeprune.progress import Progress
from edgeprune.recipe import Measure
from edgeprune.stages.golden import tolerance_on
from edgeprune.target import Target
from edgeprune.tuning.choice import Choice
from edgeprune.tuning.choice_log import ChoiceLog
from edgeprune.tuning.decision import FEWEST_ROUNDS, Rounds, is_hopeless

FailedEntrants: TypeAlias = dict[str, str]

_ROUNDS = 16
# No round begins after so long, once there are as many as a decision needs.
_LONGEST_S = 60.0
# A turn lasts so long, within these numbers of inferences.
_TURN_S = 0.05
_FEWEST_SAMPLES, _MOST_SAMPLES = 5, 2000


@dataclass(frozen=True)
class Entrant:
    """One choice to compare: what is built for ``target``, with ``records`` where there are any, under ``place``.

    Where the network cannot be lowered like that, ``reason`` says why.
    """

    choice: Choice
    target: Target
    lowered: Lowered | None
    records: Path | None
    place: Path
    reason: str = ""


@dataclass(frozen=True)
class Taken:
    """Times by choice and round, in ``unit``, and why the others have none."""

    times: dict[str, Rounds]
    failed: FailedEntrants
    provenance: Literal["measured", "estimated"]
    unit: Literal["us", "cycles"]


def take_turns(
    network: Path, entrants: Sequence[Entrant], target: Target, log: ChoiceLog, comparison: str, progress: Progress
) -> Taken | Unavailable:
    """Return how long the artifacts of ``entrants`` take on ``target``, the first of which is the baseline.

    Every round is kept in ``log`` under the key ``comparison`` at once, and what lies there is not measured again.
    `Unavailable` where the board is emulated and the emulator, or a model of its core, is missing.

    Raises:
        StageFailure, ParityError, UserError: the baseline cannot be built or run.
    """
    turns = Turns(target, log, comparison, progress)
    if len(entrants) == 1:
        return turns.result({})  # every choice comes to the same artifact
    with opened(target, None, progress.note) as board:
        if isinstance(board, Unavailable):
            return board
        artifacts, failed = _built(network, entrants, progress)
        return turns.estimate(board, artifacts, failed) if target.emulated else turns.time(board, artifacts, failed)


def _built(
    network: Path, entrants: Sequence[Entrant], progress: Progress
) -> tuple[dict[str, BenchArtifact], FailedEntrants]:
    artifacts: dict[str, BenchArtifact] = {}
    failed: FailedEntrants = {}
    golden = made_records(network)
    progress.stage(f"build {len(entrants)} ways", len(entrants))
    for number, entrant in enumerate(entrants):
        try:
            artifacts[entrant.choice.name] = _build(entrant, number, golden)
        except (StageFailure, UserError) as error:
            if number == 0:
                raise
            failed[entrant.choice.name] = str(error)
        progress.advance(entrant.choice.name)
    return artifacts, failed


def _build(entrant: Entrant, number: int, golden: tuple[NDArray[np.float32], NDArray[np.float32]]) -> BenchArtifact:
    if entrant.lowered is None:
        raise StageFailure(entrant.reason)
    out = entrant.place / "artifact"
    build_artifact(
        read_program(schedule(entrant.lowered, entrant.target, entrant.records)),
        entrant.target,
        out,
        # Executables of several names can lie on the board side by side.
        model=f"choice{number}",
        variant=entrant.choice.name,
        golden_inputs=golden[0],
        golden_outputs=golden[1],
        tolerance=tolerance_on(entrant.target),
        only_bench=True,
    )
    return BenchArtifact.load(out)


@dataclass(frozen=True)
class Turns:
    """The turns of one comparison; of its artifacts the first is the baseline."""

    target: Target
    log: ChoiceLog
    comparison: str
    progress: Progress

    def estimate(
        self, board: Transport, artifacts: dict[str, BenchArtifact], failed: FailedEntrants
    ) -> Taken | Unavailable:
        """Count each artifact once; the ends of the model's range are rounds, each the same assumption for all."""
        self.progress.stage(f"estimate {len(artifacts)} ways on {self.target.name}", len(artifacts))
        baseline = next(iter(artifacts))
        for name, artifact in artifacts.items():
            if name not in self.log.turns(self.comparison):
                try:
                    found = measure(artifact.executable.parent, self.target, Measure(), transport=board)
                except StageFailure as error:
                    _give_up(error, name, baseline, failed)
                    continue
                cycles = found.cycles_estimated if isinstance(found, Measurement) else None
                if cycles is None:
                    absent = found.cycles_absent if isinstance(found, Measurement) else found.absent
                    assert absent is not None
                    return absent
                ends = {"low": float(cycles.low), "nominal": float(cycles.value), "high": float(cycles.high)}
                self.log.add_turns(self.comparison, {name: ends})
            self.progress.advance(f"{name}: {self.log.turns(self.comparison)[name]['nominal']:,.0f} cycles")
        return self.result(failed)

    def time(self, board: Transport, artifacts: dict[str, BenchArtifact], failed: FailedEntrants) -> Taken:
        """Time the artifacts in turns; one that has been slower in every round so far is left out of further ones."""
        runs = self._pushed(board, artifacts, failed)
        started = time.monotonic()
        self.progress.stage(f"time {len(runs)} ways in turns on {self.target.name}", _ROUNDS)
        for number in range(_ROUNDS):
            taken = self.log.turns(self.comparison)
            if str(number) not in {done for rounds in taken.values() for done in rounds}:
                if number >= FEWEST_ROUNDS and time.monotonic() - started > _LONGEST_S:
                    self.progress.note(f"{number} rounds: {_LONGEST_S:.0f} s are over")
                    break
                self.log.add_turns(self.comparison, self._round(str(number), runs, taken))
            self.progress.advance(_in_words(self.log.turns(self.comparison)))
        return self.result(failed)

    def result(self, failed: FailedEntrants) -> Taken:
        """Return what the log holds now."""
        times: dict[str, Rounds] = {**self.log.turns(self.comparison)}
        if self.target.emulated:
            return Taken(times, failed, "estimated", "cycles")
        return Taken(times, failed, "measured", "us")

    def _pushed(
        self, board: Transport, artifacts: dict[str, BenchArtifact], failed: FailedEntrants
    ) -> dict[str, _Timed]:
        """Bring every artifact to the board and see how long an inference takes: it then knows how many make a turn."""
        runs = {}
        place = place_options(Measure(threads=self.target.threads))
        baseline = next(iter(artifacts))
        for name, artifact in artifacts.items():
            first = _Timed(board, board.push(artifact.executable), artifact, self.target, place)
            try:
                seconds = first.seconds(samples=_FEWEST_SAMPLES)
            except StageFailure as error:
                _give_up(error, name, baseline, failed)
                continue
            samples = int(min(max(_TURN_S / max(seconds, 1e-9), _FEWEST_SAMPLES), _MOST_SAMPLES))
            runs[name] = _Timed(board, first.executable, artifact, self.target, place, samples)
        return runs

    def _round(self, number: str, runs: dict[str, _Timed], taken: dict[str, dict[str, float]]) -> dict[str, Rounds]:
        baseline = next(iter(runs))
        hopeful = [name for name in runs if name == baseline or not is_hopeless(taken.get(name, {}), taken)]
        return {name: {number: 1e6 * runs[name].seconds()} for name in hopeful}


@dataclass(frozen=True)
class _Timed:
    """An executable on the board, and how many inferences make its turn."""

    board: Transport
    executable: str
    artifact: BenchArtifact
    target: Target
    place: Sequence[str]
    samples: int = 0

    def seconds(self, samples: int | None = None) -> float:
        """Return the median of one turn."""
        count = samples or self.samples
        options = ["--warmup", str(max(2, count // 10)), "--samples", str(count), *self.place]
        return float(np.median(take_turn(self.board, self.executable, self.artifact, self.target, options))) / 1e9


def _give_up(error: Exception, name: str, baseline: str, failed: FailedEntrants) -> None:
    """Leave a choice out that does not run; what does not even run as the baseline, or no board, is the end."""
    if name == baseline or isinstance(error, BoardLost):
        raise error
    failed[name] = str(error)


def _in_words(turns: dict[str, dict[str, float]]) -> str:
    medians = {name: float(np.median(list(rounds.values()))) for name, rounds in turns.items()}
    fastest = min(medians, key=medians.__getitem__)
    return f"{fastest}: {medians[fastest]:.1f} us"
