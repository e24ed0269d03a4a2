"""Building candidates on every core, and measuring what is built."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

import tvm

from edgeprune.artifact.space import has_little_space
from edgeprune.errors import StageFailure
from edgeprune.measuring.board_lock import board_lock
from edgeprune.measuring.whoami import whoami
from edgeprune.tuning.nursery import Nursery
from edgeprune.tuning.outcome import Outcome
from edgeprune.tuning.runner import BUILD_SECONDS, Candidate, Runner, failure, require_reference
from edgeprune.tuning.worker import Worker

# Each holds up to 0.5 GB.
_MOST_BUILDERS = 6
_LOCK_SECONDS = 900.0
_POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Cores:
    """The cores to build on, and the one of them that measures on this machine."""

    builders: tuple[int, ...]
    runner: int

    @classmethod
    def available(cls) -> Cores:
        """Return those this process may use: the last one measures."""
        cores = sorted(os.sched_getaffinity(0))
        return cls(tuple(cores), cores[-1])


class Pipeline:
    """A queue of candidates in, outcomes out; a candidate that takes a process down costs only itself.

    Where other work on this machine would disturb a measurement, the builders are stopped for its time, and other
    users of edgeprune on this machine are kept away by its lock.
    """

    def __init__(
        self,
        nursery: Nursery,
        directory: Path,
        cores: Cores,
        runner: Runner,
        notify: Callable[[str], None] = lambda message: None,
    ) -> None:
        """Start the builders; ``directory`` is theirs to fill with products and logs. Closing closes ``runner`` too."""
        self._directory = directory
        self._runner = runner
        self._notify = notify
        self._to_build: deque[Candidate] = deque()
        self._to_measure: deque[Candidate] = deque()
        self._building: dict[Worker, Candidate] = {}
        self._references: set[str] = set()
        count = min(_MOST_BUILDERS, len(cores.builders))
        self._builders = [Worker(nursery, directory / f"builder{index}.log", cores.builders) for index in range(count)]

    @property
    def waiting_to_build(self) -> int:
        """Return how many candidates no builder has taken up."""
        return len(self._to_build)

    @property
    def places(self) -> int:
        """Return how many batches may be measured at once."""
        return self._runner.places

    @property
    def empty(self) -> bool:
        """Return whether nothing is queued or running."""
        return self._runner.idle and not (self._to_build or self._to_measure or self._building)

    def add_reference(self, workload: str, module: tvm.IRModule, name: str) -> None:
        """Queue the kernel itself, unscheduled: what it computes is what its candidates are held against."""
        product = self._directory / f"{workload}-reference.so"
        job = self._runner.reference_job(module, product)
        self._to_build.append(Candidate(-1, workload, name, job, product, reference=True))
        self._dispatch()

    def add(self, number: int, workload: str, name: str, module: tvm.IRModule, best: float | None) -> None:
        """Queue a candidate of a kernel whose reference was added; ``best`` is the kernel's best seconds so far."""
        product = self._directory / f"{workload}-{number}{self._runner.suffix}"
        job = self._runner.build_job(module, number, product)
        self._to_build.append(Candidate(number, workload, name, job, product, best))
        self._dispatch()

    def finished(self, timeout: float) -> list[tuple[int, Outcome]]:
        """Wait up to ``timeout`` seconds for progress and return the candidates that are done, by number.

        Raises:
            StageFailure: a kernel cannot be compiled or run even unscheduled, or no board can be reached any more.
        """
        measuring = [] if self._runner.idle else [self._runner.waitable]
        wait([*(worker.connection for worker in self._building), *measuring], timeout=timeout)
        done = self._collect_built()
        self._dispatch()
        if self._runner.alone:
            return done + self._measured_alone()
        done += self._runner.finished()
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
            if candidate.reference:
                require_reference(reply, candidate.name)
                candidate.built = reply
                self._runner.set_reference(candidate)
                self._references.add(candidate.workload)
            elif "reason" in reply:
                failed.append((candidate.number, self._build_failure(candidate, reply)))
            else:
                candidate.built = reply
                self._to_measure.append(candidate)
        return failed

    def _build_failure(self, candidate: Candidate, reply: dict[str, Any]) -> Outcome:
        """A full disk fails every candidate, and says nothing about any of them.

        Raises:
            StageFailure: there is hardly any space left.
        """
        found = failure(reply, "build")
        if has_little_space(self._directory):
            raise StageFailure(f"{candidate.name}: {found.reason}: {found.detail}")
        return found

    def _dispatch(self) -> None:
        for worker in self._builders:
            if worker.idle and self._to_build:
                candidate = self._to_build.popleft()
                self._building[worker] = candidate
                worker.submit(candidate.build, BUILD_SECONDS)
        while self._runner.free and not self._runner.alone and (batch := self._next_batch()):
            self._runner.submit(batch)

    def _measured_alone(self) -> list[tuple[int, Outcome]]:
        """Measure everything that is built while nothing is being built."""
        done: list[tuple[int, Outcome]] = []
        batch = self._next_batch()
        if not batch:
            return done
        with board_lock(whoami(), _LOCK_SECONDS, self._notify), self._builders_stopped():
            while batch:
                self._runner.submit(batch)
                while not self._runner.idle:
                    wait([self._runner.waitable], timeout=_POLL_SECONDS)
                    done += self._runner.finished()
                batch = self._next_batch()
        return done

    @contextmanager
    def _builders_stopped(self) -> Iterator[None]:
        for worker in self._builders:
            worker.pause()
        try:
            yield
        finally:
            for worker in self._builders:
                worker.resume()

    def _next_batch(self) -> list[Candidate]:
        """Take candidates of one kernel, once there are as many as the runner takes or no more will come."""
        for workload in dict.fromkeys(candidate.workload for candidate in self._to_measure):
            batch = [candidate for candidate in self._to_measure if candidate.workload == workload]
            batch = batch[: self._runner.batch]
            coming = [*self._to_build, *self._building.values()]
            more = any(candidate.workload == workload and not candidate.reference for candidate in coming)
            if workload in self._references and (len(batch) == self._runner.batch or not more):
                for candidate in batch:
                    self._to_measure.remove(candidate)
                return batch
        return []
