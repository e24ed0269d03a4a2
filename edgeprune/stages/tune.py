"""Tune: search schedules for a lowered network's kernels; keep the records and choices that building needs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from edgeprune.cache import cache_directory
from edgeprune.emulation import Unavailable
from edgeprune.errors import UserError
from edgeprune.lowering import Lowered
from edgeprune.pipeline.stage import write_json
from edgeprune.progress import Progress
from edgeprune.recipe import Tune
from edgeprune.stages.choose import RECORDS, choose
from edgeprune.target import Target
from edgeprune.tuning.choice import Choice
from edgeprune.tuning.database import Database
from edgeprune.tuning.descriptor import describe
from edgeprune.tuning.engine import tune as tune_kernels
from edgeprune.tuning.engine import why_not
from edgeprune.tuning.kernels import extract_kernels
from edgeprune.tuning.snapshot import snapshot

RESULT = "tuning.json"


def tune(
    network: Path, lowered_in: Path, target: Target, budget: Tune, seed: int, out: Path, progress: Progress
) -> None:
    """Write ``tuning.json`` and ``records/``: what the user's tuning database now holds for these kernels.

    Every trial goes to the database in the cache at once, so that a killed run, a second network with the same
    kernels, and a larger budget all start from what was measured before. Then ``network``, of which ``lowered_in`` is
    the lowered form, is built and measured with and without each doubtful choice, unless ``budget`` does without;
    "choices" in ``tuning.json`` says what came out and what is to be built.
    """
    lowered = Lowered.load(lowered_in)
    database = cache_directory("tuning")
    result = tune_kernels(lowered, target, budget, database=database, seed=seed, progress=progress)
    snapshot(database, lowered, target, out / RECORDS)
    write_json(
        out / RESULT, {**result.as_dict(), "choices": _choices(network, lowered_in, target, budget, out, progress)}
    )


def chosen(tuned: Path | None) -> Choice | None:
    """Return how the network is to be built by what `tune` left in ``tuned``, ``None`` where nothing was compared.

    Raises:
        UserError: `tune` left nothing there.
    """
    if tuned is None:
        return None
    try:
        found = json.loads((tuned / RESULT).read_text(encoding="utf-8")).get("choices") or {}
        return Choice.from_dict(found["kept"]) if "kept" in found else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise UserError(
            f"{tuned}: holds no {RESULT} of edgeprune's; 'edgeprune tune MODEL.onnx --target NAME --out {tuned}' "
            "makes it"
        ) from None


def known_trials(lowered_in: Path, target: Target) -> int:
    """Return how many trials of these kernels the user's tuning database holds.

    Raises:
        UserError: the database is damaged or of another device.
    """
    descriptor = describe(target)
    records = Database(descriptor.directory(cache_directory("tuning")), descriptor)
    return sum(len(records.trials(kernel.workload)) for kernel in extract_kernels(Lowered.load(lowered_in), target))


def _choices(
    network: Path, lowered_in: Path, target: Target, budget: Tune, out: Path, progress: Progress
) -> dict[str, Any]:
    reason = why_not(target, budget) or ("" if budget.choices else "tune.choices is false")
    if reason:
        return {"note": f"ways to build were not compared: {reason}"}
    compared = choose(network, lowered_in, target, out, progress)
    if isinstance(compared, Unavailable):
        return {"note": f"ways to build were not compared: {compared.reason}; {compared.mend}"}
    found = compared.as_dict()
    del found["records"]  # as many as there are kernels, and of use to the database alone
    return found | {"relowered": compared.kept.relowers(target)}
