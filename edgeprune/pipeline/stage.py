"""One stage: run it, keep its result, and know when it need not run again.

A stage works in ``<root>/.partial/<name>`` and its directory is renamed to ``<root>/<name>`` when it is complete, so
that whatever lies under its name is whole. A killed stage leaves its partial directory; the next run with the same
key goes on from what lies there, and any other key starts it afresh.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgeprune.pipeline.content_hash import hash_inputs, hash_json, hash_own_code, hash_tree
from edgeprune.progress import Progress

RECORD = "stage.json"
PARTIAL = ".partial"
_KEY = "stage.key"


@dataclass(frozen=True)
class Stage:
    """What a stage is made of.

    ``name`` is its directory below the run's root; ``inputs`` are files or directories whose content decides the
    result; ``settings`` are JSON-able values that do; ``code`` names the parts of edgeprune that compute it.
    ``work`` writes the outputs into the directory it is given, and may find there what a killed run left.
    """

    name: str
    work: Callable[[Path, Progress], None]
    inputs: Mapping[str, Path] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    code: tuple[str, ...] = ()


@dataclass(frozen=True)
class StageResult:
    """Where a stage's outputs lie and whether this run computed them. ``seconds`` is what computing them took."""

    name: str
    directory: Path
    key: str
    ran: bool
    seconds: float


def run_stage(root: Path, stage: Stage, progress: Progress) -> StageResult:
    """Return the stage's result, computing it only if its key changed or its outputs are not what was recorded."""
    facts = _facts(stage)
    key = hash_json(facts)
    final = root / stage.name
    partial = root / PARTIAL / stage.name.replace("/", "@")
    _promote_finished(partial, final, key)
    kept = _reusable(final, key, progress, stage.name)
    if kept is not None:
        return StageResult(stage.name, final, key, ran=False, seconds=kept)
    _prepare(partial, key)
    started = time.monotonic()
    stage.work(partial, progress)
    seconds = round(time.monotonic() - started, 3)
    record = {"name": stage.name, "key": key, **facts, "seconds": seconds, "outputs": _outputs(partial)}
    write_json(partial / RECORD, record)
    _promote_finished(partial, final, key)
    return StageResult(stage.name, final, key, ran=True, seconds=seconds)


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as indented JSON through a temporary name, so that a reader never sees half a file."""
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(json.dumps(value, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    temporary.replace(path)


def _facts(stage: Stage) -> dict[str, Any]:
    return {
        "inputs": hash_inputs(stage.inputs),
        "settings": dict(stage.settings),
        "code": hash_own_code(*stage.code),
    }


def _outputs(directory: Path) -> dict[str, str]:
    outputs = hash_tree(directory)
    return {name: digest for name, digest in outputs.items() if name not in (RECORD, _KEY)}


def _prepare(partial: Path, key: str) -> None:
    marker = partial / _KEY
    if partial.exists() and not (marker.is_file() and marker.read_text(encoding="utf-8") == key):
        shutil.rmtree(partial)
    partial.mkdir(parents=True, exist_ok=True)
    temporary = partial / (_KEY + ".tmp")
    temporary.write_text(key, encoding="utf-8")
    temporary.replace(marker)


def _promote_finished(partial: Path, final: Path, key: str) -> None:
    """Move a complete partial directory to its final name; a kill between the two renames is mended next time."""
    record = _read_record(partial)
    if record is None or record.get("key") != key:
        return
    final.parent.mkdir(parents=True, exist_ok=True)
    if final.exists():
        trash = partial.with_name(partial.name + ".old")
        shutil.rmtree(trash, ignore_errors=True)
        final.rename(trash)
    partial.rename(final)
    (final / _KEY).unlink(missing_ok=True)
    shutil.rmtree(partial.with_name(partial.name + ".old"), ignore_errors=True)


def _reusable(final: Path, key: str, progress: Progress, name: str) -> float | None:
    record = _read_record(final)
    if record is None or record.get("key") != key:
        return None
    if _outputs(final) != record["outputs"]:
        progress.note(f"{name}: its files are not the ones it wrote; computing it again")
        return None
    return float(record["seconds"])


def _read_record(directory: Path) -> dict[str, Any] | None:
    try:
        record = json.loads((directory / RECORD).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, json.JSONDecodeError):
        return None
    return record if isinstance(record, dict) else None
