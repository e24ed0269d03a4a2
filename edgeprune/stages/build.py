"""Build: a lowered network and its tuning records to the files for a board."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeprune.artifact import Manifest, build_artifact
from edgeprune.lowering import Lowered, Scheduled, read_program, schedule
from edgeprune.pipeline.content_hash import hash_json, hash_tree
from edgeprune.progress import Progress
from edgeprune.stages.choose import RECORDS
from edgeprune.stages.golden import tolerance_on
from edgeprune.stages.tune import RESULT, chosen
from edgeprune.target import Target
from edgeprune.tuning.descriptor import Descriptor, describe, require_same_code


def build(
    lowered_in: Path,
    tuned: Path | None,
    golden: tuple[NDArray[np.float32], NDArray[np.float32]],
    target: Target,
    variant: str,
    model: str,
    out: Path,
    progress: Progress,
    accuracy: float | None = None,
) -> Manifest:
    """Write library, header, shared library, benchmark executable and manifest to ``out``.

    ``lowered_in`` is the network lowered for `as_chosen`'s target. ``golden`` holds inputs ``(N, ...)`` and the outputs
    expected of them. Without ``tuned`` every kernel gets its default schedule. ``accuracy`` goes into the manifest:
    what the network answers right on the validation split.
    """
    program = read_program(scheduled(lowered_in, tuned, target, progress))
    # The artifact takes its directory over as a whole; the stage's own directory already has its key in it.
    whole = out / "artifact"
    manifest = build_artifact(
        program,
        target,
        whole,
        model=model,
        variant=variant,
        golden_inputs=golden[0],
        golden_outputs=golden[1],
        tolerance=tolerance_on(target),
        tuning=_tuning(tuned, program.tuned),
        accuracy=accuracy,
        progress=progress,
    )
    for path in whole.iterdir():
        path.replace(out / path.name)
    whole.rmdir()
    return manifest


def as_chosen(tuned: Path | None, target: Target) -> Target:
    """Return ``target`` with the keys under which the network is to be lowered, by what `tune` left in ``tuned``.

    Raises:
        UserError: ``tuned`` is no such directory, or of another CPU.
    """
    choice = chosen(tuned)
    if tuned is not None:
        require_same_code(Descriptor.read(tuned / RECORDS), describe(target), str(tuned))
    return target if choice is None else choice.applied(target)


def scheduled(lowered_in: Path, tuned: Path | None, target: Target, progress: Progress) -> Scheduled:
    """Return the network in ``lowered_in`` with the schedules that `tune` left in ``tuned``, or default ones."""
    found = schedule(Lowered.load(lowered_in), target, records_of(tuned), progress=progress)
    choice = chosen(tuned)
    if tuned is not None:
        hits = f"{sum(found.tuned.values())} of {len(found.tuned)} kernels have a tuned schedule"
        progress.note(hits if choice is None else f"built as tuning chose, {choice.name}: {hits}")
    return found


def records_of(tuned: Path | None) -> Path | None:
    """Return where the records lie that a build takes, ``None`` where default schedules are as fast."""
    choice = chosen(tuned)
    return None if tuned is None or (choice is not None and not choice.tuned) else tuned / RECORDS


def _tuning(tuned: Path | None, kernels: dict[str, bool]) -> dict[str, int | str | None]:
    hits = sum(kernels.values())
    choice, records = chosen(tuned), records_of(tuned)
    found: dict[str, int | str | None] = {"choice": None if choice is None else choice.name}
    found |= {"records": 0, "hits": hits, "kernels": len(kernels), "database_sha256": None}
    if tuned is None or records is None:
        return found
    result = json.loads((tuned / RESULT).read_text(encoding="utf-8"))
    valid = sum(kernel["best_us"] is not None for kernel in result["kernels"])
    return found | {"records": valid, "database_sha256": hash_json(hash_tree(records)) if valid else None}
