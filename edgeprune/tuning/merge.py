"""Bringing the records of one database into another of the same device."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass

from edgeprune.tuning.database import Database, Trial


@dataclass(frozen=True)
class Merged:
    """What a merge did: trials that were ``added``, and those that were there ``already`` (the same schedule)."""

    added: int
    already: int


def merge(source: Database, into: Database, workloads: Collection[str] | None = None) -> Merged:
    """Add every trial of ``source`` whose schedule ``into`` has not tried, and what is known about its kernels.

    ``workloads`` limits the merge to some kernels. A schedule both have tried keeps the time ``into`` knows: its own
    board's. Interrupted in between, the same call again adds the rest.

    Raises:
        StageFailure: the disk is full; what was added stays.
    """
    added = already = 0
    for workload in source.workloads:
        if workloads is not None and workload not in workloads:
            continue
        tried = {_schedule(trial) for trial in into.trials(workload)}
        document = source.workload_document(workload)
        assert document is not None  # a trial of an unknown workload does not open
        for trial in source.trials(workload):
            if _schedule(trial) in tried:
                already += 1
                continue
            into.append(document, trial.record, trial.reason)
            tried.add(_schedule(trial))
            added += 1
        _merge_about_kernel(source, into, workload)
    return Merged(added, already)


def _merge_about_kernel(source: Database, into: Database, workload: str) -> None:
    baseline, name = source.baseline(workload), source.name(workload)
    if baseline is not None and into.baseline(workload) is None:
        into.set_baseline(workload, baseline.seconds, baseline.schedule)
    if name is not None and into.name(workload) is None:
        into.set_name(workload, name)
    if source.exhausted(workload) and not into.exhausted(workload):
        into.set_exhausted(workload)


def _schedule(trial: Trial) -> str:
    return json.dumps(trial.record[0], sort_keys=True)
