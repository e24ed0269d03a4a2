"""Candidates run on a board, or in an emulator of one, through any transport: a static executable per batch."""

from __future__ import annotations

import json
import signal
import tempfile
import threading
from collections.abc import Sequence
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import tvm
from tvm.s_tir.meta_schedule.utils import _json_de_tvm

from edgeprune.emulation import Unavailable
from edgeprune.errors import EdgepruneError, StageFailure
from edgeprune.lowering.llvm_target import native_target
from edgeprune.measuring.board_core import BoardCore
from edgeprune.measuring.qemu_transport import QemuTransport
from edgeprune.measuring.transport import Completed, Transport
from edgeprune.toolchain import CToolchain
from edgeprune.tuning.candidate_code import EXPECTED, INPUTS, CandidateCode
from edgeprune.tuning.candidate_program import link_candidates
from edgeprune.tuning.estimated_time import clock_mhz
from edgeprune.tuning.local_runner import LocalRunner
from edgeprune.tuning.runner import MEASURE_SECONDS, Candidate
from edgeprune.tuning.search import Outcome
from edgeprune.tuning.worker import Job, Worker

# The program itself gives a candidate up after MEASURE_SECONDS; the transport's patience ends a little later.
_LONGEST_SECONDS = MEASURE_SECONDS + 10


class BoardRunner:
    """Links candidates for the board, runs them there, and reads what they printed.

    What a kernel must compute comes from running it unscheduled on this machine.
    """

    batch = 8
    suffix = ".o"
    alone = False

    def __init__(
        self,
        directory: Path,
        core: int,
        target: tvm.target.Target,
        toolchain: CToolchain,
        transport: Transport,
        seed: int,
        modelled: BoardCore | None = None,
    ) -> None:
        """Measure on ``transport``, which stays open; ``directory`` holds references and executables.

        ``modelled`` is the core whose cycles are estimated, needed where ``transport`` is emulated.
        """
        self._directory = Path(tempfile.mkdtemp(prefix="board-", dir=directory))
        self._target = _json_de_tvm(target.export())
        self._toolchain = toolchain
        self._transport = transport
        self._modelled = modelled
        self._host = LocalRunner(directory, core, native_target(), seed)
        self._pushed: dict[str, tuple[str, str]] = {}
        self._thread: threading.Thread | None = None
        self._result: list[tuple[int, Outcome]] | EdgepruneError = []
        self._readable, self._done = Pipe(duplex=False)

    def build_job(self, module: tvm.IRModule, number: int, product: Path) -> Job:
        """Return the job that makes an object file for the board."""
        prefix = f"c{number}" if number >= 0 else "untuned"
        return {
            "kind": "object",
            "module": tvm.ir.save_json(module),
            "target": self._target,
            "object": str(product),
            "prefix": prefix,
        }

    def set_reference(self, workload: str, module: tvm.IRModule, name: str, builder: Worker) -> None:
        """Run the kernel unscheduled here, and bring its inputs and output to the board."""
        stem = self._directory / workload
        self._host.run_reference(workload, module, name, builder, store=str(stem))
        inputs, expected = (self._transport.push(stem.with_suffix(suffix)) for suffix in (INPUTS, EXPECTED))
        self._pushed[workload] = (inputs, expected)

    @property
    def idle(self) -> bool:
        """Return whether no batch is on the board."""
        return self._thread is None

    def submit(self, candidates: Sequence[Candidate]) -> None:
        """Link and run a batch in a thread, which mostly waits for other processes."""
        self._thread = threading.Thread(target=self._work, args=(list(candidates),), daemon=True)
        self._thread.start()

    def finished(self) -> list[tuple[int, Outcome]]:
        """Return the batch's outcomes once they are there."""
        if self._thread is None or not self._readable.poll():
            return []
        self._readable.recv_bytes()
        self._thread.join()
        self._thread = None
        if isinstance(self._result, EdgepruneError):
            raise self._result
        return self._result

    @property
    def waitable(self) -> Connection:
        """Return what the thread writes to when it is done."""
        return self._readable

    def close(self) -> None:
        """Wait for what runs on the board, at most its time-out, and end the process of the references."""
        if self._thread is not None:
            self._thread.join()
        self._host.close()

    def _work(self, candidates: list[Candidate]) -> None:
        try:
            outcomes = self._measure(candidates)
            self._result = [
                (candidate.number, outcome) for candidate, outcome in zip(candidates, outcomes, strict=True)
            ]
        except EdgepruneError as error:
            self._result = error
        except Exception as error:  # a thread's exception would otherwise be lost, and the tuner wait for ever
            self._result = StageFailure(f"{self._transport.name}: {type(error).__name__}: {error}")
        self._done.send_bytes(b"done")

    def _measure(self, candidates: list[Candidate]) -> list[Outcome]:
        codes = [CandidateCode.from_dict(candidate.built or {}) for candidate in candidates]
        objects = [candidate.product for candidate in candidates]
        executable = self._transport.push(link_candidates(codes, objects, self._toolchain, self._directory))
        for path in objects:
            path.unlink()
        files = self._pushed[candidates[0].workload]
        if self._transport.emulated:
            return [self._count([executable, *files, "region", str(index)]) for index in range(len(candidates))]
        best = min((candidate.best for candidate in candidates if candidate.best is not None), default=0.0)
        return self._time([executable, *files, f"{best * 1e9:.9g}"], len(candidates))

    def _time(self, command: list[str], count: int) -> list[Outcome]:
        """Run all candidates in one process; after one that takes it down, a new process goes on with the next."""
        outcomes: list[Outcome] = []
        while len(outcomes) < count:
            left = range(len(outcomes), count)
            done = self._transport.run([*command, *map(str, left)], timeout=_LONGEST_SECONDS * len(left))
            outcomes += [_timed(json.loads(line)) for line in done.output.splitlines()]
            if len(outcomes) < count:
                outcomes.append(_lost(done))
        return outcomes

    def _count(self, command: list[str]) -> Outcome:
        """Run one candidate under the emulator and return the time that the core's model gives it."""
        assert isinstance(self._transport, QemuTransport)
        assert self._modelled is not None
        counted = self._transport.count(command, timeout=_LONGEST_SECONDS, modelled=self._modelled)
        if not counted.done.output:
            return _lost(counted.done)
        document = json.loads(counted.done.output)
        if "error" in document:
            return _wrong(document)
        if isinstance(counted.cycles, Unavailable):
            raise StageFailure(f"tuning by estimated cycles: {counted.cycles.reason}; {counted.cycles.mend}")
        return Outcome(counted.cycles.value / (clock_mhz(self._modelled) * 1e6))


def _timed(document: dict[str, Any]) -> Outcome:
    return _wrong(document) if "error" in document else Outcome(float(document["ns"]) / 1e9)


def _wrong(document: dict[str, Any]) -> Outcome:
    return Outcome(None, "wrong result", f"relative error {float(document['error']):.3g}")


def _lost(done: Completed) -> Outcome:
    """Say what became of a candidate whose process ended before its line was out."""
    if done.code == 1:
        raise StageFailure(f"the tuner's program on the board: {done.complaint}")
    ended_by = -done.code if done.code < 0 else done.code - 128
    if ended_by == signal.SIGALRM:
        return Outcome(None, "run timed out", f"{MEASURE_SECONDS:g} s")
    return Outcome(None, "run crashed", f"exit code {done.code}: {done.complaint}")
