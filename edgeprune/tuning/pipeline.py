"""Building and measuring candidates side by side, each on cores of its own."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path

import tvm

from edgeprune.tuning.runner import BUILD_SECONDS, Candidate, Runner, failure
from edgeprune.tuning.search import Outcome
from edgeprune.tuning.worker import Worker

_MOST_BUILDERS = 8


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


class Pipeline:
    """A queue of candidates in, outcomes out; a candidate that takes a process down costs only itself."""

    def __init__(self, directory: Path, cores: Cores, runner: Runner) -> None:
        """Start the builders; ``directory`` is theirs to fill with products and logs. Closing closes ``runner`` too."""
        self._directory = directory
        self._cores = cores
        self._runner = runner
        self._to_build: deque[Candidate] = deque()
        self._to_measure: deque[Candidate] = deque()
        self._building: dict[Worker, Candidate] = {}
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
        return self._runner.idle and not (self._to_build or self._to_measure or self._building)

    def set_reference(self, workload: str, module: tvm.IRModule, name: str) -> None:
        """Fix what a kernel must compute by running it unscheduled.

        Raises:
            StageFailure: the kernel cannot be compiled or run even unscheduled.
        """
        self._runner.set_reference(workload, module, name, self._builders[0])

    def add(self, number: int, workload: str, module: tvm.IRModule, best: float | None) -> None:
        """Queue a candidate of a kernel whose reference is set; ``best`` is the kernel's best seconds so far."""
        product = self._directory / f"{workload}-{number}{self._runner.suffix}"
        job = self._runner.build_job(module, number, product)
        self._to_build.append(Candidate(number, workload, job, product, best))
        self._dispatch()

    def finished(self, timeout: float) -> list[tuple[int, Outcome]]:
        """Wait up to ``timeout`` seconds for progress and return the candidates that are done, by number.

        Raises:
            StageFailure: the board cannot be reached any more.
        """
        measuring = [] if self._runner.idle else [self._runner.waitable]
        wait([*(worker.connection for worker in self._building), *measuring], timeout=timeout)
        done = self._collect_built() + self._runner.finished()
        self._dispatch()
        return done

    def close(self) -> None:
        """End all processes; whatever still runs is given up."""
        for worker in self._builders:
            worker.close()
        self._runner.close()

    def _collect_built(self) -> list[tuple[int, Outcome]]:
        failed = []
        for worker in list(self._building):
            reply = worker.poll()
            if reply is None:
                continue
            candidate = self._building.pop(worker)
            if "reason" in reply:
                failed.append((candidate.number, failure(reply, "build")))
            else:
                candidate.built = reply
                self._to_measure.append(candidate)
        return failed

    def _dispatch(self) -> None:
        taking_turns = self._cores.shared and self._runner.alone
        if self._runner.idle and self._to_measure and not (taking_turns and self._building):
            batch = self._next_batch()
            if batch:
                self._runner.submit(batch)
        for worker in self._builders:
            if worker.idle and self._to_build and not (taking_turns and not self._runner.idle):
                candidate = self._to_build.popleft()
                self._building[worker] = candidate
                worker.submit(candidate.build, BUILD_SECONDS)

    def _next_batch(self) -> list[Candidate]:
        """Take candidates of one kernel, once there are as many as the runner takes or no more will come."""
        workload = self._to_measure[0].workload
        batch = [candidate for candidate in self._to_measure if candidate.workload == workload][: self._runner.batch]
        coming = [*self._to_build, *self._building.values()]
        if len(batch) < self._runner.batch and any(candidate.workload == workload for candidate in coming):
            return []
        for candidate in batch:
            self._to_measure.remove(candidate)
        return batch


@contextmanager
def off_the_measuring_core(cores: Cores) -> Iterator[None]:
    """Keep this thread, which searches meanwhile, away from the core that measures."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, set(cores.builders))
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
