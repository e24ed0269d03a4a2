"""The records of one device: every trial ever made, in the files MetaSchedule reads, and why failed ones failed."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeprune.errors import UserError
from edgeprune.tuning.descriptor import Descriptor
from edgeprune.tuning.journal import Journal, locked

WORKLOADS = "database_workload.json"
RECORDS = "database_tuning_record.json"
_FAILURES = "failures.jsonl"
_KERNELS = "kernels.jsonl"
# MetaSchedule's own mark of a failed trial: such records are kept so that the search does not propose them again,
# and are never returned as a best schedule.
FAILED_SECONDS = 1e10
# The hash of a workload whose line was damaged and written over with null.
_LOST = ""


@dataclass(frozen=True)
class Trial:
    """One trial in the database: ``seconds`` per call, or ``reason`` it failed. ``record`` is MetaSchedule's JSON."""

    workload: str
    seconds: float | None
    reason: str | None
    record: list[Any]


@dataclass(frozen=True)
class Baseline:
    """Seconds per call of a kernel without tuning, by the schedule with the content key ``schedule``.

    Another version of edgeprune may schedule the kernel differently, and then this time says nothing any more.
    """

    seconds: float
    schedule: str


class Database:
    """The directory of one descriptor; several processes may add to it at once.

    ``dropped_bytes`` is what opening had to cut off because a writer was killed in the middle of a line.
    """

    def __init__(self, directory: Path, descriptor: Descriptor) -> None:
        """Open or create the database.

        Raises:
            UserError: the directory belongs to another descriptor, or a file in it is damaged.
        """
        descriptor.stamp(directory)
        self.directory = directory
        # Records find their workload by its line: lines are never taken out.
        self._workloads = Journal(directory / WORKLOADS, "write null in its place: its records are left out then")
        self._records = Journal(directory / RECORDS)
        self._failures = Journal(directory / _FAILURES)
        self._kernels = Journal(directory / _KERNELS)
        self._exhausted: set[str] = set()
        self._baselines: dict[str, Baseline] = {}
        self._names: dict[str, str] = {}
        self._hashes: list[str] = []
        self._modules: dict[str, str] = {}
        self._reasons: dict[str, str] = {}
        self._trials: dict[str, list[Trial]] = {}
        with locked(directory):
            journals = (self._workloads, self._records, self._failures, self._kernels)
            self.dropped_bytes = sum(journal.drop_unfinished_tail() for journal in journals)
            self._refresh()

    @property
    def workloads(self) -> tuple[str, ...]:
        """Return the structural hashes of all workloads with trials, in the order they were first tried."""
        return tuple(self._trials)

    def trials(self, workload: str) -> list[Trial]:
        """Return the trials of the workload with this structural hash, in the order they were made."""
        return list(self._trials.get(workload, ()))

    def best(self, workload: str, count: int) -> list[Trial]:
        """Return up to ``count`` valid trials, fastest first; equal times in an order that depends on nothing else."""
        valid = [trial for trial in self._trials.get(workload, ()) if trial.seconds is not None]
        return sorted(valid, key=lambda trial: (trial.seconds, _dump(trial.record)))[:count]

    def workload_document(self, workload: str) -> list[str] | None:
        """Return MetaSchedule's JSON of the workload, ``None`` if the database does not know it."""
        module = self._modules.get(workload)
        return None if module is None else [workload, module]

    def append(self, workload_document: list[str], record: list[Any], reason: str | None) -> Trial:
        """Add one finished trial, durably, before returning it.

        ``record`` is ``TuningRecord.as_json()``; ``reason`` is why it failed (its time must then be
        ``FAILED_SECONDS``), ``None`` for a valid one.

        Raises:
            StageFailure: the disk is full; earlier records stay intact.
        """
        workload = workload_document[0]
        with locked(self.directory):
            self._refresh()
            if workload not in self._modules:
                self._workloads.append(workload_document)
            if reason is not None:
                # The reason first: killed in between, there is a reason too many, never a failure without one.
                self._failures.append({"trace": _digest(record), "reason": reason})
            self._refresh()
            self._records.append([self._hashes.index(workload), record])
            self._refresh()
        return self._trials[workload][-1]

    def baseline(self, workload: str) -> Baseline | None:
        """Return the time last measured for the schedule without tuning, ``None`` if never."""
        return self._baselines.get(workload)

    def untuned_seconds(self, workload: str, schedule: str) -> float | None:
        """Return the seconds per call of the schedule without tuning, ``None`` if never measured for this one."""
        known = self._baselines.get(workload)
        return known.seconds if known is not None and known.schedule == schedule else None

    def set_baseline(self, workload: str, seconds: float, schedule: str) -> None:
        """Keep the seconds per call of the schedule that is used where there is no record."""
        self._append_about_kernel({"workload": workload, "baseline_seconds": seconds, "schedule": schedule})

    def name(self, workload: str) -> str | None:
        """Return what the network tuned last called this kernel, ``None`` if that was never kept."""
        return self._names.get(workload)

    def set_name(self, workload: str, name: str) -> None:
        """Keep a kernel's name, for people to read; records are found by the hash."""
        if self._names.get(workload) != name:
            self._append_about_kernel({"workload": workload, "name": name})

    def exhausted(self, workload: str) -> bool:
        """Return whether the search has run out of schedules for this workload."""
        return workload in self._exhausted

    def set_exhausted(self, workload: str) -> None:
        """Keep that the search has run out of schedules, so that no later run looks for more."""
        self._append_about_kernel({"workload": workload, "exhausted": True})

    def _append_about_kernel(self, document: dict[str, object]) -> None:
        with locked(self.directory):
            self._kernels.append(document)
            self._refresh()

    def _refresh(self) -> None:
        for workload, module in self._workloads.read_new(_read_workload):
            self._hashes.append(workload)
            self._modules[workload] = module
        for trace, reason in self._failures.read_new(_read_failure):
            self._reasons[trace] = reason
        for about in self._kernels.read_new(_read_about_kernel):
            if "baseline_seconds" in about:
                baseline = Baseline(about["baseline_seconds"], about.get("schedule", ""))
                self._baselines[about["workload"]] = baseline
            if "name" in about:
                self._names[about["workload"]] = about["name"]
            if about.get("exhausted"):
                self._exhausted.add(about["workload"])
        for index, record, seconds in self._records.read_new(_read_record):
            if not 0 <= index < len(self._hashes):
                raise UserError(f"{self._records.path}: a record of workload {index}, which {WORKLOADS} lacks")
            if self._hashes[index] == _LOST:
                continue
            trial = self._trial(self._hashes[index], record, seconds)
            self._trials.setdefault(trial.workload, []).append(trial)

    def _trial(self, workload: str, record: list[Any], seconds: list[float]) -> Trial:
        if seconds and max(seconds) < FAILED_SECONDS:
            return Trial(workload, sum(seconds) / len(seconds), None, record)
        return Trial(workload, None, self._reasons.get(_digest(record), "unknown"), record)


def _read_workload(document: Any) -> tuple[str, str]:
    if document is None:
        return _LOST, ""
    workload, module = document
    return _text(workload), _text(module)


def _read_failure(document: Any) -> tuple[str, str]:
    return _text(document["trace"]), _text(document["reason"])


def _read_about_kernel(document: Any) -> dict[str, Any]:
    about = {"workload": _text(document["workload"]), "exhausted": bool(document.get("exhausted"))}
    about |= {key: _text(document[key]) for key in ("name", "schedule") if key in document}
    if "baseline_seconds" in document:
        about["baseline_seconds"] = _seconds(document["baseline_seconds"])
    return about


def _read_record(document: Any) -> tuple[int, list[Any], list[float]]:
    index, record = document
    _, seconds, *_ = record
    return int(index), record, [_seconds(value) for value in seconds or ()]


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _seconds(value: Any) -> float:
    seconds = float(value)
    if not seconds >= 0:  # nor is NaN
        raise ValueError
    return seconds


def _dump(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _digest(record: list[Any]) -> str:
    return hashlib.sha256(_dump(record[0]).encode()).hexdigest()[:16]
