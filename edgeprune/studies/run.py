"""Running a study: every cell once, kept as soon as it is there, summarised at the end."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgeprune.pipeline.lock import run_lock
from edgeprune.progress import Progress, SilentProgress
from edgeprune.studies.cells import Cell, study_cells
from edgeprune.studies.dense import trained_dense
from edgeprune.studies.document import study_document
from edgeprune.studies.measure_cell import measure_cell
from edgeprune.studies.schema import Study
from edgeprune.studies.write import write_study

_NEWS_EVERY = 30.0


class _Paced(SilentProgress):
    """Passes on what a cell does inside, but not more often than every half minute."""

    def __init__(self, outer: Progress) -> None:
        self._outer = outer
        self._last = time.monotonic()

    def advance(self, message: str) -> None:
        if time.monotonic() - self._last >= _NEWS_EVERY:
            self._last = time.monotonic()
            self._outer.note(f"  {message}")


def run_study(
    study: Study, *, seeds: Sequence[int], out: Path, work: Path, command: str, progress: Progress
) -> dict[str, Any]:
    """Compute what is missing of ``study``, write its files to ``out`` and return the document they show.

    ``work`` keeps dense networks and finished cells under the hash of all that decides them: an interrupted study goes
    on after its last finished cell (inside a cell after its last finished epoch), and studies share what is the same.

    Raises:
        UserError: an arm's recipe does not work, or another process works in ``work``.
        StageFailure: training failed.
    """
    cells = study_cells(study, seeds)
    keys = {id(cell): cell.key for cell in cells}
    with run_lock(work):
        kept = sum(_stored(work, key) is not None for key in keys.values())
        if kept:
            progress.note(f"{kept} of {len(cells)} cells lie in {work / 'cells'} already; they are kept")
        progress.stage(study.name, len(cells))
        results, times, paced = [], {}, _Paced(progress)
        for cell in cells:
            trained = trained_dense(cell, cells, work, paced)
            times[trained.directory] = trained.times
            found = _stored(work, keys[id(cell)])
            if found is None:
                found = _computed(cell, keys[id(cell)], trained.directory, work, progress, paced)
            # The same cell may stand for arms of other names.
            results.append(found | {"arm": cell.arm})
            progress.advance(_line(results[-1]))
        document = study_document(study, seeds, results, list(times.values()), command)
        write_study(out, document)
    return document


def _computed(cell: Cell, key: str, dense: Path, work: Path, progress: Progress, paced: Progress) -> dict[str, Any]:
    partial = work / "partial" / key
    if partial.exists():
        progress.note(f"{cell.arm}, seed {cell.seed}: was interrupted; goes on where it was")
    partial.mkdir(parents=True, exist_ok=True)
    found = measure_cell(cell, dense, partial, paced) | {"key": key}
    path = _cell_file(work, key)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".part")
    temporary.write_text(json.dumps(found) + "\n", encoding="utf-8")
    temporary.replace(path)
    shutil.rmtree(partial)
    return found


def _stored(work: Path, key: str) -> dict[str, Any] | None:
    path = _cell_file(work, key)
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def _cell_file(work: Path, key: str) -> Path:
    return work / "cells" / f"{key}.json"


def _line(result: dict[str, Any]) -> str:
    shown = ", ".join(
        ("" if point["ratio"] is None else f"{point['ratio']:g}x ")
        + f"{point['validation']['correct'] / point['validation']['total']:.2%}"
        for point in result["points"]
    )
    return f"{result['arm']}, seed {result['seed']}: validation {shown} ({result['seconds']:.0f} s)"
