"""One run of a benchmark executable: its exit code and its JSON become a result or the right error."""

from __future__ import annotations

import json
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeprune.errors import ParityError, StageFailure, UserError
from edgeprune.measuring.transport import Completed

_REFUSED, _MISMATCH = 2, 3


@dataclass(frozen=True)
class Check:
    """Outcome of the golden check on the board: the largest error of ``golden`` records, relative to their maximum."""

    passed: bool
    golden: int
    max_relative_error: float | None
    tolerance: float


@dataclass(frozen=True)
class StepTimes:
    """One step of the network in a profile: ``name`` is "KERNEL: ONNX NODE, ...", ``samples_ns`` has shape ``(runs,)``.

    Samples include the reading of the clock once, and what the step before it left in the caches.
    """

    name: str
    samples_ns: NDArray[np.int64]


@dataclass(frozen=True)
class BenchRun:
    """What a benchmark executable printed; ``samples_ns`` has shape ``(n,)``, in the order they were taken.

    ``cores_used`` lists the cores its first thread was seen on; ``cold_bytes`` is how much was written between
    samples so that caches are cold, ``None`` where they are warm; ``profile`` is in the order of execution.
    """

    check: Check
    samples_ns: NDArray[np.int64]
    warmup: int
    records: int
    clock: Mapping[str, Any]
    environment: Mapping[str, Any]
    threads: int
    cores_used: str | None
    cold_bytes: int | None
    cooldown: Mapping[str, Any] | None
    profile: tuple[StepTimes, ...]


def read_bench_run(done: Completed, where: str) -> BenchRun:
    """Return the result of a benchmark executable that ended; ``where`` names artifact and board for messages.

    Raises:
        ParityError: the golden check failed on the board.
        UserError: something was asked for that this board or this executable cannot do.
        StageFailure: the executable failed otherwise, was ended by a signal, or printed no valid result.
    """
    if done.code == _REFUSED:
        raise UserError(f"{where}: {done.complaint}")
    if done.code not in (0, _MISMATCH):
        raise StageFailure(f"{where}: {_describe_failure(done)}")
    try:
        document = json.loads(done.output)
        run = _from_document(document)
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise StageFailure(f"{where}: the executable's result cannot be read: {error!r}") from error
    if not run.check.passed:
        raise ParityError(f"{where}: {_describe_mismatch(document['check'])}")
    if run.check.golden == 0:
        raise StageFailure(f"{where}: the executable carries no golden record, so nothing proves its answers")
    return run


def _from_document(document: Mapping[str, Any]) -> BenchRun:
    check = document["check"]
    return BenchRun(
        check=Check(check["passed"], check["golden"], check["max_relative_error"], check["tolerance"]),
        samples_ns=np.asarray(document["samples_ns"], dtype=np.int64),
        warmup=document["warmup"],
        records=document["records"],
        clock=document["clock"],
        environment=document["environment"],
        threads=document["threads"],
        cores_used=document["cores_used"],
        cold_bytes=document["cold_bytes"],
        cooldown=document["cooldown"],
        profile=tuple(
            StepTimes(row["step"], np.asarray(row["samples_ns"], dtype=np.int64)) for row in document["profile"] or ()
        ),
    )


def _describe_failure(done: Completed) -> str:
    if done.code >= 0:
        return f"exit code {done.code}: {done.complaint}"
    name = signal.Signals(-done.code).name
    hint = "; the binary uses instructions this CPU does not have" if name == "SIGILL" else ""
    return f"ended by {name}{hint}"


def _describe_mismatch(check: Mapping[str, Any]) -> str:
    worst = check["worst"]
    error = check["max_relative_error"]
    return (
        f"golden record {worst['golden']}, output {worst['output']}, element {worst['element']}: relative error "
        f"{'infinite' if error is None else format(error, '.3g')}, tolerance {check['tolerance']:.3g}"
    )
