"""Where candidates run: on this machine, on boards, or in an emulator of one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Protocol

import tvm

from edgeprune.errors import StageFailure
from edgeprune.tuning.outcome import Outcome
from edgeprune.tuning.worker import Job

BUILD_SECONDS = 30.0
MEASURE_SECONDS = 20.0


@dataclass
class Candidate:
    """One scheduled kernel on its way: ``build`` makes ``product``, after which ``built`` says how to call it.

    ``best`` is the kernel's best seconds per call when the candidate was proposed. A ``reference`` is the kernel
    unscheduled, which says what the others must compute. ``lost`` counts the boards that went while it was there.
    """

    number: int
    workload: str
    name: str
    build: Job
    product: Path
    best: float | None = None
    reference: bool = False
    built: dict[str, Any] | None = None
    lost: int = 0


class Runner(Protocol):
    """Measures built candidates, batches of one kernel each, after checking what they compute."""

    batch: int
    """The most candidates measured in one piece."""

    suffix: str
    """What the name of a product ends in."""

    alone: bool
    """Whether anything else on this machine would disturb a measurement."""

    def build_job(self, module: tvm.IRModule, number: int, product: Path) -> Job:
        """Return the job for a builder that makes ``product`` of ``module["main"]``."""

    def reference_job(self, module: tvm.IRModule, product: Path) -> Job:
        """Return the job for a builder that makes ``product`` of the unscheduled ``module["main"]``."""

    def set_reference(self, candidate: Candidate) -> None:
        """Fix what a kernel must compute by running it unscheduled.

        Raises:
            StageFailure: it cannot be run.
        """

    @property
    def places(self) -> int:
        """Return how many batches may run at once."""

    @property
    def free(self) -> bool:
        """Return whether a batch can be submitted."""

    @property
    def idle(self) -> bool:
        """Return whether no batch is running."""

    def submit(self, candidates: Sequence[Candidate]) -> None:
        """Start measuring candidates of one kernel whose reference is set; the runner must be free."""

    def finished(self) -> list[tuple[int, Outcome]]:
        """Return the outcomes of the batches that are done, by candidate number.

        Raises:
            StageFailure: no board can be reached any more.
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


def require_reference(reply: dict[str, Any], name: str) -> None:
    """Raise what is wrong with a kernel that cannot even be built or run unscheduled.

    Raises:
        StageFailure: ``reply`` is a failure.
    """
    if "reason" in reply:
        raise StageFailure(f"kernel {name}: without any schedule: {reply['reason']}: {reply['detail']}")
