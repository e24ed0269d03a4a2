"""Where candidates run: on this machine, on a board, or in an emulator of one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Protocol

import tvm

from edgeprune.tuning.search import Outcome
from edgeprune.tuning.worker import Job, Worker

BUILD_SECONDS = 30.0
MEASURE_SECONDS = 20.0


@dataclass
class Candidate:
    """One scheduled kernel on its way: ``build`` makes ``product``, after which ``built`` says how to call it.

    ``best`` is the kernel's best seconds per call when the candidate was proposed.
    """

    number: int
    workload: str
    build: Job
    product: Path
    best: float | None
    built: dict[str, Any] | None = None


class Runner(Protocol):
    """Measures built candidates, one batch of one kernel at a time, after checking what they compute."""

    batch: int
    """The most candidates measured at once."""

    suffix: str
    """What the name of a product ends in."""

    alone: bool
    """Whether building on the same core would disturb a measurement."""

    def build_job(self, module: tvm.IRModule, number: int, product: Path) -> Job:
        """Return the job for a builder that makes ``product`` of ``module["main"]``."""

    def set_reference(self, workload: str, module: tvm.IRModule, name: str, builder: Worker) -> None:
        """Fix what the kernel must compute by running it unscheduled.

        Raises:
            StageFailure: the kernel cannot be compiled or run even unscheduled.
        """

    @property
    def idle(self) -> bool:
        """Return whether a batch can be submitted."""

    def submit(self, candidates: Sequence[Candidate]) -> None:
        """Start measuring candidates of one kernel whose reference is set; the runner must be idle."""

    def finished(self) -> list[tuple[int, Outcome]]:
        """Return the outcomes of the submitted batch by candidate number once they are there.

        Raises:
            StageFailure: the board cannot be reached any more.
        """

    @property
    def waitable(self) -> Connection:
        """Return what becomes readable when outcomes are there."""

    def close(self) -> None:
        """Give up what runs and leave nothing behind."""


def failure(reply: dict[str, Any], step: str) -> Outcome:
    """Return a failed worker's reply as an outcome; ``step`` is what it was doing."""
    reason = reply["reason"]
    if reason in ("crashed", "timed out"):
        reason = f"{step} {reason}"
    return Outcome(None, reason, reply["detail"])
