"""One board, or an emulator of one, that candidates run on: a static executable per batch."""

from __future__ import annotations

import json
import signal
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from edgeprune.emulation import CyclesEstimate, Unavailable
from edgeprune.errors import StageFailure
from edgeprune.measuring.board_core import BoardCore
from edgeprune.measuring.qemu_transport import QemuTransport
from edgeprune.measuring.transport import Completed, Transport
from edgeprune.toolchain import CToolchain
from edgeprune.tuning.candidate_code import EXPECTED, INPUTS, CandidateCode
from edgeprune.tuning.candidate_program import link_candidates
from edgeprune.tuning.estimated_time import clock_mhz
from edgeprune.tuning.outcome import Outcome
from edgeprune.tuning.runner import MEASURE_SECONDS, Candidate

# The program itself gives a candidate up after MEASURE_SECONDS; the transport's patience ends a little later.
_LONGEST_SECONDS = MEASURE_SECONDS + 10
_CALIBRATIONS = 3


class Board:
    """Links candidates for one board, runs them there, and reads what they printed."""

    def __init__(
        self, transport: Transport, toolchain: CToolchain, directory: Path, modelled: BoardCore | None = None
    ) -> None:
        """Work on ``transport``, which `close` closes; ``directory`` holds executables on this machine.

        ``modelled`` is the core whose cycles are estimated, needed where ``transport`` is emulated.
        """
        self.name = transport.board
        self._transport = transport
        self._toolchain = toolchain
        self._directory = directory
        self._modelled = modelled
        self._pushed: dict[Path, tuple[str, str]] = {}

    def measure(self, candidates: Sequence[Candidate], reference: Path) -> list[Outcome]:
        """Check and measure candidates of one kernel, whose inputs and output lie beside ``reference``.

        Raises:
            BoardLost: the board cannot be reached any more.
            StageFailure: the board or the toolchain refused.
        """
        executable = self._executable(candidates)
        if self._transport.emulated:
            outcomes = self._counted([executable, *self._files(reference), "region"], len(candidates))
        else:
            best = min((candidate.best for candidate in candidates if candidate.best is not None), default=0.0)
            outcomes = self._timed([executable, *self._files(reference), f"{best * 1e9:.9g}"], len(candidates))
        return [self._named(outcome) for outcome in outcomes]

    def calibrate(self, candidate: Candidate, reference: Path) -> float:
        """Return the fastest of a few times of ``candidate``, a kernel as it is untuned.

        Raises:
            BoardLost, StageFailure: as for `measure`; also where the board does not compute what it should, so that
                nothing it says of other candidates would mean anything.
        """
        command = [self._executable([candidate]), *self._files(reference), "0"]
        outcomes = [self._timed(command, 1)[0] for _ in range(_CALIBRATIONS)]
        times = [outcome.seconds for outcome in outcomes if outcome.seconds is not None]
        if len(times) < len(outcomes):
            [failed, *_] = [outcome for outcome in outcomes if outcome.seconds is None]
            raise StageFailure(
                f"board {self.name}: kernel {candidate.name}, untuned: {failed.reason}: {failed.detail}: "
                "the board is left out"
            )
        return min(times)

    def close(self) -> None:
        """Leave nothing on the board."""
        self._transport.close()

    def _named(self, outcome: Outcome) -> Outcome:
        if outcome.reason is None:
            return outcome
        return replace(outcome, detail=f"{outcome.detail}, on {self.name}")

    def _executable(self, candidates: Sequence[Candidate]) -> str:
        codes = [CandidateCode.from_dict(candidate.built or {}) for candidate in candidates]
        objects = [candidate.product for candidate in candidates]
        return self._transport.push(link_candidates(codes, objects, self._toolchain, self._directory))

    def _files(self, reference: Path) -> tuple[str, str]:
        if reference not in self._pushed:
            inputs, expected = (self._transport.push(reference.with_suffix(end)) for end in (INPUTS, EXPECTED))
            self._pushed[reference] = (inputs, expected)
        return self._pushed[reference]

    def _timed(self, command: list[str], count: int) -> list[Outcome]:
        """Run all candidates in one process; after one that takes it down, a new process goes on with the next."""
        outcomes: list[Outcome] = []
        while len(outcomes) < count:
            left = range(len(outcomes), count)
            done = self._transport.run([*command, *map(str, left)], timeout=_LONGEST_SECONDS * len(left))
            outcomes += [_timed(document) for document in _lines(done)]
            if len(outcomes) < count:
                outcomes.append(_lost(done, self.name))
        return outcomes

    def _counted(self, command: list[str], count: int) -> list[Outcome]:
        """Do the same under the emulator, for the times that the core's model gives."""
        assert isinstance(self._transport, QemuTransport)
        assert self._modelled is not None
        outcomes: list[Outcome] = []
        while len(outcomes) < count:
            left = range(len(outcomes), count)
            counted = self._transport.count_each(
                [*command, *map(str, left)], timeout=_LONGEST_SECONDS * len(left), modelled=self._modelled
            )
            if isinstance(counted, Unavailable):
                raise StageFailure(f"tuning by estimated cycles: {counted.reason}; {counted.mend}")
            done, regions = counted
            # A candidate that ends the process after its region has no line of its own.
            pairs = zip(_lines(done), regions, strict=False)
            outcomes += [_estimated(document, cycles, clock_mhz(self._modelled)) for document, cycles in pairs]
            if len(outcomes) < count:
                outcomes.append(_lost(done, self.name))
        return outcomes


def _lines(done: Completed) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.output.splitlines()]


def _timed(document: dict[str, Any]) -> Outcome:
    return _wrong(document) if "error" in document else Outcome(float(document["ns"]) / 1e9)


def _estimated(document: dict[str, Any], cycles: CyclesEstimate | Unavailable, mhz: float) -> Outcome:
    if "error" in document:
        return _wrong(document)
    if isinstance(cycles, Unavailable):
        raise StageFailure(f"tuning by estimated cycles: {cycles.reason}; {cycles.mend}")
    return Outcome(cycles.value / (mhz * 1e6))


def _wrong(document: dict[str, Any]) -> Outcome:
    return Outcome(None, "wrong result", f"relative error {float(document['error']):.3g}")


def _lost(done: Completed, board: str) -> Outcome:
    """Say what became of a candidate whose process ended before its line was out.

    Raises:
        StageFailure: the program itself gave up.
    """
    if done.code == 1:
        raise StageFailure(f"board {board}: the tuner's program: {done.complaint}")
    ended_by = -done.code if done.code < 0 else done.code - 128
    if ended_by == signal.SIGALRM:
        return Outcome(None, "run timed out", f"{MEASURE_SECONDS:g} s")
    return Outcome(None, "run crashed", f"exit code {done.code}: {done.complaint}")
