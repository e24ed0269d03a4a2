"""Dense networks: trained once per seed and settings, shared by arms and studies."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgeprune.pipeline.content_hash import hash_json
from edgeprune.pipeline.stage import Stage, run_stage, write_json
from edgeprune.progress import Progress
from edgeprune.recipe import Recipe
from edgeprune.stages.rewind import kept_epoch
from edgeprune.stages.train import train
from edgeprune.studies.cells import TRAINING_CODE, Cell, dense_facts

_TIMES = "times.json"


@dataclass(frozen=True)
class Dense:
    """Where a trained network lies, and the ``seconds`` and ``processor_seconds`` it took."""

    directory: Path
    times: dict[str, float]


def trained_dense(cell: Cell, cells: Sequence[Cell], work: Path, progress: Progress) -> Dense:
    """Return the trained dense network of ``cell``: one for all ``cells`` that train alike, whichever of them rewinds.

    Continues an interrupted training.
    """
    recipe = _rewinding(cell.recipe, cells)
    facts = dense_facts(recipe)

    def work_in(out: Path, _: Progress) -> None:
        clock, processor = time.perf_counter(), time.process_time()
        train(recipe, out, progress)
        spent = {"seconds": time.perf_counter() - clock, "processor_seconds": time.process_time() - processor}
        write_json(out / _TIMES, spent)

    code = (*TRAINING_CODE, "stages/train", "studies/dense")
    stage = Stage(f"dense/{hash_json(facts)[:16]}", work_in, settings=facts, code=code)
    directory = run_stage(work, stage, progress).directory
    return Dense(directory, json.loads((directory / _TIMES).read_text(encoding="utf-8")))


def _rewinding(recipe: Recipe, cells: Sequence[Cell]) -> Recipe:
    """Return the recipe whose dense training also keeps the epoch that some cell with the same training goes back to.

    A recipe that goes back itself is returned as it is: it knows which epoch it needs.
    """
    if kept_epoch(recipe) is not None:
        return recipe
    own = dense_facts(recipe)
    alike = (c.recipe for c in cells if kept_epoch(c.recipe) is not None and c.recipe.seed == recipe.seed)
    return next((other for other in alike if dense_facts(other) | {"keeps_epoch": None} == own), recipe)
