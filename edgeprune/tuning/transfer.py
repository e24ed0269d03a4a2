"""Schedules that were best elsewhere, to start a search with: for kernels of a near shape, and on sibling CPUs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import log2, prod
from pathlib import Path

import tvm
from tvm.s_tir import ScheduleError
from tvm.s_tir import meta_schedule as ms

from edgeprune.errors import UserError
from edgeprune.tuning.database import Database, Trial
from edgeprune.tuning.descriptor import Descriptor, siblings
from edgeprune.tuning.design import Decision, Design, Point, fitted

# Of every other kernel the fastest few; of the same kernel on a sibling CPU somewhat more.
_PER_KERNEL = 2
_PER_SIBLING = 4


@dataclass(frozen=True)
class Start:
    """A schedule from another kernel or device; ``rank`` counts its kernel's faster ones."""

    workload: str
    rank: int
    design: Design


class Transfer:
    """What is known elsewhere, read from the databases when it is asked for."""

    def __init__(self, records: Database, root: Path, descriptor: Descriptor) -> None:
        """Look in ``records``, and under ``root`` in those of cores that run the instructions of ``descriptor``."""
        self._records = records
        self._siblings = _siblings_of(root, descriptor)
        self._modules: dict[str, ms.database.Workload] = {}
        self._designs: dict[str, Design | None] = {}

    def starts(self) -> list[Start]:
        """Return the fastest schedules of every kernel on this device, and on its siblings."""
        found = [
            start for workload in self._records.workloads for start in self._of(self._records, workload, _PER_KERNEL)
        ]
        for records in self._siblings:
            found += [start for workload in records.workloads for start in self._of(records, workload, _PER_SIBLING)]
        return found

    def _of(self, records: Database, workload: str, count: int) -> list[Start]:
        designs = [self._design(records, trial) for trial in records.best(workload, count)]
        return [Start(workload, rank, design) for rank, design in enumerate(designs) if design is not None]

    def _design(self, records: Database, trial: Trial) -> Design | None:
        """A record can only be read as one of its own workload: TVM applies it to be sure."""
        key = json.dumps([trial.workload, trial.record[0]])
        if key not in self._designs:
            self._designs[key] = self._read(records, trial)
        return self._designs[key]

    def _read(self, records: Database, trial: Trial) -> Design | None:
        if trial.workload not in self._modules:
            document = records.workload_document(trial.workload)
            self._modules[trial.workload] = ms.database.Workload.from_json(document)
        try:
            return Design(ms.database.TuningRecord.from_json(trial.record, self._modules[trial.workload]).trace)
        except (tvm.error.InternalError, ScheduleError, ValueError):
            return None  # of another space's making, or damaged: it can be no start


def nearest(starts: Sequence[Start], workload: str, designs: Sequence[Design]) -> Iterator[Point]:
    """Yield the ``starts`` that fit one of ``designs``, fitted to its extents: the same kernel's, then the nearest."""
    families = {design.family: number for number, design in reversed(list(enumerate(designs)))}
    scored: list[tuple[tuple[bool, int, float], Point]] = []
    for start in starts:
        number = families.get(start.design.family)
        if number is None:
            continue
        own = designs[number].example
        score = (start.workload != workload, start.rank, _distance(start.design.example, own))
        scored.append((score, Point(number, fitted(start.design.example, own))))
    yield from dict.fromkeys(point for _, point in sorted(scored, key=lambda entry: entry[0]))


def _siblings_of(root: Path, descriptor: Descriptor) -> list[Database]:
    """A database that cannot be read is left to its owner: what is wrong with it is said when that one tunes."""
    found: list[Database] = []
    for directory in sorted(path.parent for path in root.glob("*/descriptor.json")):
        try:
            other = Descriptor.read(directory)
            if siblings(other, descriptor):
                found.append(Database(directory, other))
        except UserError:
            continue
    return found


def _distance(one: Sequence[Decision], other: Sequence[Decision]) -> float:
    """Return by how many factors of two the loops of two kernels differ, in sum."""
    pairs = (
        (prod(a), prod(b)) for a, b in zip(one, other, strict=True) if isinstance(a, tuple) and isinstance(b, tuple)
    )
    return sum(abs(log2(a / b)) for a, b in pairs)
