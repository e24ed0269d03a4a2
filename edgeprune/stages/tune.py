"""Tune: search schedules for a lowered network's kernels; keep the records that building needs."""

from __future__ import annotations

from pathlib import Path

from edgeprune.cache import cache_directory
from edgeprune.lowering import Lowered
from edgeprune.pipeline.stage import write_json
from edgeprune.progress import Progress
from edgeprune.recipe import Tune
from edgeprune.target import Target
from edgeprune.tuning.database import Database
from edgeprune.tuning.descriptor import describe
from edgeprune.tuning.engine import tune as tune_kernels
from edgeprune.tuning.kernels import extract_kernels
from edgeprune.tuning.snapshot import snapshot

RECORDS = "records"
RESULT = "tuning.json"


def tune(lowered_in: Path, target: Target, budget: Tune, seed: int, out: Path, progress: Progress) -> None:
    """Write ``tuning.json`` and ``records/``: what the user's tuning database now holds for these kernels.

    Every trial goes to the database in the cache at once, so that a killed run, a second network with the same
    kernels, and a larger budget all start from what was measured before.
    """
    lowered = Lowered.load(lowered_in)
    database = cache_directory("tuning")
    result = tune_kernels(lowered, target, budget, database=database, seed=seed, progress=progress)
    snapshot(database, lowered, target, out / RECORDS)
    write_json(out / RESULT, result.as_dict())


def known_trials(lowered_in: Path, target: Target) -> int:
    """Return how many trials of these kernels the user's tuning database holds.

    Raises:
        UserError: the database is damaged or of another device.
    """
    descriptor = describe(target)
    records = Database(descriptor.directory(cache_directory("tuning")), descriptor)
    return sum(len(records.trials(kernel.workload)) for kernel in extract_kernels(Lowered.load(lowered_in), target))
