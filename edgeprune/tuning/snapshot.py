"""A copy of the records that one network needs, for its run directory."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from edgeprune.lowering import Lowered, tvm_target
from edgeprune.target import Target
from edgeprune.tuning.block_names import named_as_in
from edgeprune.tuning.database import RECORDS, WORKLOADS, Database
from edgeprune.tuning.descriptor import describe
from edgeprune.tuning.kernels import extract_kernels
from edgeprune.tuning.untuned import schedule_key, untuned


def snapshot(database: Path, lowered: Lowered, target: Target, out: Path, *, best: int = 1) -> int:
    """Write the ``best`` fastest valid records of every kernel of ``lowered`` into ``out`` and return their number.

    ``out`` becomes a directory that MetaSchedule's ``JSONDatabase(work_dir=out)`` and the scheduling of ``lowered``
    read. Equal databases give equal bytes. Absent is a kernel without a valid record, or whose
    records are all slower than its schedule without tuning was: that one is then used.

    Raises:
        UserError: the database under ``database`` is damaged or of another device.
    """
    descriptor = describe(target)
    source = Database(descriptor.directory(database), descriptor)
    descriptor.stamp(out)
    workloads: list[list[str]] = []
    records: list[list[object]] = []
    compiled_for = tvm_target(target)
    kernels = {kernel.workload: kernel for kernel in extract_kernels(lowered, target)}
    for workload, kernel in sorted(kernels.items()):
        trials = source.best(workload, best)
        key = schedule_key(untuned(kernel, compiled_for)) if trials else ""
        without = source.untuned_seconds(workload, key)
        if not trials or (without is not None and trials[0].seconds is not None and without < trials[0].seconds):
            continue
        records += [[len(workloads), named_as_in(kernel.module, trial.record)] for trial in trials]
        workloads.append(list(kernel.workload_document))
    _write_lines(out / WORKLOADS, workloads)
    _write_lines(out / RECORDS, records)
    return len(records)


def _write_lines(path: Path, documents: Sequence[object]) -> None:
    unfinished = path.with_name(path.name + ".unfinished")
    unfinished.write_text("".join(json.dumps(d, separators=(",", ":")) + "\n" for d in documents), encoding="utf-8")
    unfinished.replace(path)
