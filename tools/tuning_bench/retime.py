"""Both searches' improving schedules timed once more, in one process, by edgeprune's own measurement.

    python -m tuning_bench.retime LOWERED TARGET OURS STOCK OUT.json

OURS and STOCK are directories with MetaSchedule's two files. OUT.json gets, for each, the curve of seconds per
inference over trials. Before its first record a kernel of ours has the schedule without tuning; one of stock
MetaSchedule's has no schedule at all, which is what its database would build.
"""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tvm
from tvm.s_tir import meta_schedule as ms

from edgeprune.lowering import Lowered, tvm_target
from edgeprune.target import find_target
from edgeprune.tuning.build_candidate import build_candidate
from edgeprune.tuning.kernels import Kernel, extract_kernels
from edgeprune.tuning.measure_candidate import Reference, measure_candidate, run_reference
from edgeprune.tuning.untuned import untuned
from tuning_bench.replay import Improvement, curve, improvements
from tuning_bench.stock import import_cpu_intrinsics
from tuning_bench.watch import RECORDS

_WORKLOADS = "database_workload.json"
_FAILED = 1e10
_SEED = 0


@dataclass(frozen=True)
class _Side:
    """One database: MetaSchedule's JSON of every record with its workload, in the order the records were made."""

    records: list[tuple[str, list[Any]]]

    @classmethod
    def read(cls, directory: Path) -> _Side:
        """Read the two files."""
        lines = [json.loads(line) for line in (directory / _WORKLOADS).read_text().splitlines()]
        hashes = [line[0] for line in lines]
        records = [json.loads(line) for line in (directory / RECORDS).read_text().splitlines()]
        return cls([(hashes[index], record) for index, record in records])

    def timed(self) -> list[tuple[str, float | None]]:
        """Return kernel and seconds of every record, ``None`` for a failed one."""
        return [(workload, _seconds(record)) for workload, record in self.records]


class _Clock:
    """Times schedules of a network's kernels, each checked against the unscheduled kernel first."""

    def __init__(self, kernels: list[Kernel], target: tvm.target.Target, scratch: Path) -> None:
        self._kernels = {kernel.workload: kernel for kernel in kernels}
        self._target, self._scratch, self._count = target, scratch, 0
        self._references: dict[str, Reference] = {}
        self.unscheduled: dict[str, float] = {}
        for kernel in kernels:
            library = self._library()
            plan = build_candidate(kernel.module, target, library)
            self._references[kernel.workload], self.unscheduled[kernel.workload] = run_reference(library, plan, _SEED)

    def default(self, workload: str) -> float:
        """Return the seconds of the schedule without tuning."""
        return self._time(workload, untuned(self._kernels[workload], self._target))

    def record(self, workload: str, document: list[Any]) -> float:
        """Return the seconds of a record's schedule."""
        known = ms.database.Workload(self._kernels[workload].module)
        found = ms.database.TuningRecord.from_json(document, known)
        return self._time(workload, found.as_measure_candidate().sch.mod)

    def _time(self, workload: str, module: tvm.IRModule) -> float:
        library = self._library()
        plan = build_candidate(module, self._target, library)
        return float(measure_candidate(library, plan, self._references[workload], None))

    def _library(self) -> Path:
        self._count += 1
        return self._scratch / f"{self._count}.so"


def main() -> None:
    """Write OUT.json."""
    lowered, target_name, ours, stock, out = sys.argv[1:]
    import_cpu_intrinsics()
    target = find_target(target_name)
    kernels = extract_kernels(Lowered.load(Path(lowered)), target)
    calls = {kernel.workload: kernel.calls for kernel in kernels}
    with tempfile.TemporaryDirectory(prefix="retime-") as scratch:
        clock = _Clock(kernels, tvm_target(target), Path(scratch))
        default = {workload: clock.default(workload) for workload in calls}
        document = {
            "ours": _curve(_Side.read(Path(ours)), clock, default, calls),
            "stock": _curve(_Side.read(Path(stock)), clock, clock.unscheduled, calls),
        }
    Path(out).write_text(json.dumps(document))


def _curve(side: _Side, clock: _Clock, start: dict[str, float], calls: dict[str, int]) -> dict[str, Any]:
    improved = [step for step in improvements(side.timed()) if step.kernel in calls]
    retimed = {step.record: clock.record(step.kernel, side.records[step.record][1]) for step in improved}
    return {"trials": len(side.records), "points": curve(_better(improved, retimed, start), retimed, start, calls)}


def _better(improved: list[Improvement], retimed: dict[int, float], start: dict[str, float]) -> list[Improvement]:
    """Leave out what is slower than the kernel's start: a build falls back to the schedule without tuning there."""
    return [step for step in improved if retimed[step.record] <= start[step.kernel]]


def _seconds(record: list[Any]) -> float | None:
    seconds = [float(value) for value in record[1] or ()]
    return sum(seconds) / len(seconds) if seconds and max(seconds) < _FAILED else None


if __name__ == "__main__":
    main()
