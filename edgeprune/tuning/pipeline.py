"""Building and measuring candidates side by side, each on cores of its own."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

import tvm
from tvm.s_tir.meta_schedule.utils import _json_de_tvm

from edgeprune.errors import StageFailure
from edgeprune.tuning.search import Outcome
from edgeprune.tuning.worker import Job, Worker

_MOST_BUILDERS = 8
BUILD_SECONDS = 30.0
MEASURE_SECONDS = 20.0


@dataclass(frozen=True)
class Cores:
    """Which cores build and which one measures; with a single core they take turns (``shared``)."""

    builders: tuple[int, ...]
    runner: int

    @property
    def shared(self) -> bool:
        """Return whether building would disturb a measurement."""
        return self.builders == (self.runner,)

    @classmethod
    def available(cls) -> Cores:
        """Divide the cores this process may use: the last one measures."""
        cores = sorted(os.sched_getaffinity(0))
        return cls(tuple(cores[:-1]) or (cores[-1],), cores[-1])


@dataclass
class _Candidate:
    number: int
    workload: str
    job: Job
    library: Path
    best: float | None
    plan: dict[str, Any] | None = None


class Pipeline:
    """A queue of candidates in, outcomes out; a candidate that takes a process down costs only itself.

    Libraries stay until the directory goes: TVM never closes a library it has loaded, and the loader knows libraries
    by inode, so that a new file on the inode of a deleted one would silently be the old code.
    """

    def __init__(self, directory: Path, cores: Cores, target: tvm.target.Target, seed: int) -> None:
        """Start the processes; ``directory`` is theirs to fill with libraries and logs."""
        self._directory = directory
        self._cores = cores
        self._target = _json_de_tvm(target.export())
        self._seed = seed
        self._references: dict[str, Job] = {}
        self._to_build: deque[_Candidate] = deque()
        self._to_measure: deque[_Candidate] = deque()
        self._building: dict[Worker, _Candidate] = {}
        self._measuring: _Candidate | None = None
        self._runner = Worker(directory / "runner.log", (cores.runner,), lambda: list(self._references.values()))
        self._builders = [
            Worker(directory / f"builder{index}.log", cores.builders)
            for index in range(min(_MOST_BUILDERS, len(cores.builders)))
        ]

    @property
    def waiting_to_build(self) -> int:
        """Return how many candidates no builder has taken up."""
        return len(self._to_build)

    @property
    def empty(self) -> bool:
        """Return whether nothing is queued or running."""
        return not (self._to_build or self._to_measure or self._building or self._measuring)

    def set_reference(self, workload: str, module: tvm.IRModule, name: str) -> float:
        """Fix what a kernel must compute by running it unscheduled, and return its seconds per call.

        Raises:
            StageFailure: the kernel cannot be compiled or run even unscheduled.
        """
        library = self._directory / f"{workload}-reference.so"
        built = self._builders[0].call(self._build_job(module, library), BUILD_SECONDS)
        if "reason" in built:
            raise StageFailure(f"kernel {name}: without any schedule: {built['reason']}: {built['detail']}")
        job = {
            "kind": "reference",
            "workload": workload,
            "library": str(library),
            "plan": built["plan"],
            "seed": self._seed,
        }
        ran = self._runner.call(job, MEASURE_SECONDS)
        if "reason" in ran:
            raise StageFailure(f"kernel {name}: without any schedule: {ran['reason']}: {ran['detail']}")
        self._references[workload] = job
        return float(ran["seconds"])

    def add(self, number: int, workload: str, module: tvm.IRModule, best: float | None) -> None:
        """Queue a candidate of a kernel whose reference is set; ``best`` is the kernel's best seconds so far."""
        library = self._directory / f"{workload}-{number}.so"
        self._to_build.append(_Candidate(number, workload, self._build_job(module, library), library, best))
        self._dispatch()

    def finished(self, timeout: float) -> list[tuple[int, Outcome]]:
        """Wait up to ``timeout`` seconds for progress and return the candidates that are done, by number."""
        wait([worker.connection for worker in self._busy()], timeout=timeout)
        done = self._collect_built() + self._collect_measured()
        self._dispatch()
        return done

    def close(self) -> None:
        """End all processes; whatever still runs is given up."""
        for worker in (*self._builders, self._runner):
            worker.close()

    def _build_job(self, module: tvm.IRModule, library: Path) -> Job:
        return {
            "kind": "build",
            "module": tvm.ir.save_json(module),
            "target": self._target,
            "library": str(library),
        }

    def _busy(self) -> list[Worker]:
        return [*self._building, *([self._runner] if self._measuring else [])]

    def _collect_built(self) -> list[tuple[int, Outcome]]:
        failed = []
        for worker in list(self._building):
            reply = worker.poll()
            if reply is None:
                continue
            candidate = self._building.pop(worker)
            if "reason" in reply:
                failed.append((candidate.number, _failure(reply, "build")))
            else:
                candidate.plan = reply["plan"]
                self._to_measure.append(candidate)
        return failed

    def _collect_measured(self) -> list[tuple[int, Outcome]]:
        candidate = self._measuring
        reply = self._runner.poll() if candidate else None
        if candidate is None or reply is None:
            return []
        self._measuring = None
        outcome = _failure(reply, "run") if "reason" in reply else Outcome(float(reply["seconds"]))
        return [(candidate.number, outcome)]

    def _dispatch(self) -> None:
        if self._measuring is None and self._to_measure and not (self._cores.shared and self._building):
            self._measuring = self._to_measure.popleft()
            self._runner.submit(self._measure_job(self._measuring), MEASURE_SECONDS)
        for worker in self._builders:
            if worker.idle and self._to_build and not (self._cores.shared and self._measuring):
                candidate = self._to_build.popleft()
                self._building[worker] = candidate
                worker.submit(candidate.job, BUILD_SECONDS)

    @staticmethod
    def _measure_job(candidate: _Candidate) -> Job:
        return {
            "kind": "measure",
            "workload": candidate.workload,
            "library": str(candidate.library),
            "plan": candidate.plan,
            "best": candidate.best,
        }


@contextmanager
def off_the_measuring_core(cores: Cores) -> Iterator[None]:
    """Keep this thread, which searches meanwhile, away from the core that measures."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, set(cores.builders))
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _failure(reply: dict[str, Any], step: str) -> Outcome:
    reason = reply["reason"]
    if reason in ("crashed", "timed out"):
        reason = f"{step} {reason}"
    return Outcome(None, reason, reply["detail"])
