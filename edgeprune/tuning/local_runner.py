"""Candidates timed on a core of this machine, in one process that outlives most of them."""

from __future__ import annotations

from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import tvm
from tvm.s_tir.meta_schedule.utils import _json_de_tvm

from edgeprune.tuning.nursery import Nursery
from edgeprune.tuning.outcome import Outcome
from edgeprune.tuning.runner import MEASURE_SECONDS, Candidate, failure, require_reference
from edgeprune.tuning.worker import Job, Worker


class LocalRunner:
    """Loads candidates as libraries of TVM's runtime.

    Libraries stay until the directory goes: TVM never closes a library it has loaded, and the loader knows libraries
    by inode, so that a new file on the inode of a deleted one would silently be the old code.
    """

    batch = 1
    places = 1
    suffix = ".so"
    alone = True

    def __init__(self, nursery: Nursery, directory: Path, core: int, target: tvm.target.Target, seed: int) -> None:
        """Start the measuring process on ``core``; ``directory`` holds its log."""
        self._target = _json_de_tvm(target.export())
        self._seed = seed
        self._references: dict[str, Job] = {}
        self._measuring: Candidate | None = None
        self._worker = Worker(nursery, directory / "runner.log", (core,), lambda: list(self._references.values()))

    def build_job(self, module: tvm.IRModule, number: int, product: Path) -> Job:
        """Return the job that makes a shared library."""
        return {"kind": "build", "module": tvm.ir.save_json(module), "target": self._target, "library": str(product)}

    def reference_job(self, module: tvm.IRModule, product: Path) -> Job:
        """Return the same for the unscheduled kernel."""
        return self.build_job(module, 0, product)

    def set_reference(self, candidate: Candidate) -> None:
        """Run the kernel unscheduled; the measuring process keeps its inputs and output."""
        self.run_reference(candidate)

    def run_reference(self, candidate: Candidate, **extra: str) -> dict[str, Any]:
        """Do the same and return the process's answer; ``extra`` goes into the job.

        Raises:
            StageFailure: it cannot be run.
        """
        assert candidate.built is not None
        job = {
            "kind": "reference",
            "workload": candidate.workload,
            "library": str(candidate.product),
            "plan": candidate.built["plan"],
            "seed": self._seed,
            **extra,
        }
        ran = self._worker.call(job, MEASURE_SECONDS)
        require_reference(ran, candidate.name)
        self._references[candidate.workload] = job
        return ran

    @property
    def free(self) -> bool:
        """Return whether the core is free."""
        return self._measuring is None

    idle = free

    def submit(self, candidates: Sequence[Candidate]) -> None:
        """Check and time one candidate."""
        (candidate,) = candidates
        assert candidate.built is not None
        self._measuring = candidate
        job = {
            "kind": "measure",
            "workload": candidate.workload,
            "library": str(candidate.product),
            "plan": candidate.built["plan"],
            "best": candidate.best,
        }
        self._worker.submit(job, MEASURE_SECONDS)

    def finished(self) -> list[tuple[int, Outcome]]:
        """Return the candidate's outcome once it is there."""
        reply = self._worker.poll() if self._measuring is not None else None
        if self._measuring is None or reply is None:
            return []
        number, self._measuring = self._measuring.number, None
        return [(number, failure(reply, "run") if "reason" in reply else Outcome(float(reply["seconds"])))]

    @property
    def waitable(self) -> Connection:
        """Return the measuring process's connection."""
        return self._worker.connection

    def close(self) -> None:
        """End the process; what it still measures is given up."""
        self._worker.close()
