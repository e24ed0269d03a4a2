"""Content hashes: what decides whether a stage's result still stands."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_PACKAGE = Path(__file__).parent.parent


def hash_json(value: Any) -> str:
    """Return the SHA-256 of ``value``'s canonical JSON."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def hash_tree(root: Path) -> dict[str, str]:
    """Return the SHA-256 of every file below ``root`` by its path relative to it (one entry for a file)."""
    if root.is_file():
        return {root.name: hash_file(root)}
    return {str(path.relative_to(root)): hash_file(path) for path in sorted(root.rglob("*")) if path.is_file()}


def hash_listing(root: Path) -> str:
    """Return a hash of the names, sizes and modification times below ``root``.

    For image folders of any size, where reading every byte before every run would cost more than training.
    """
    entries = [
        (str(path.relative_to(root)), path.stat().st_size, path.stat().st_mtime_ns)
        for path in sorted(root.rglob("*"))
        if path.is_file()
    ]
    return hash_json(entries)


def hash_own_code(*parts: str) -> str:
    """Return a hash of edgeprune's own sources under ``parts`` (sub-packages or modules of the package).

    A stage whose code changed must not pass off an older version's result as its own.
    """
    digests: dict[str, str] = {}
    for part in parts:
        source = _PACKAGE / part
        for path in sorted(source.rglob("*")) if source.is_dir() else [source.with_suffix(".py")]:
            if path.is_file() and path.suffix != ".pyc":
                digests[str(path.relative_to(_PACKAGE))] = hash_file(path)
    return hash_json(digests)


def hash_user_code(spec: str) -> str | None:
    """Return the hash of the file a ``module:callable`` or ``file.py:callable`` names, if there is one.

    Only that file counts: what it imports in turn is not followed.
    """
    module = spec.rpartition(":")[0]
    path = Path(module)
    if module.endswith(".py"):
        return hash_file(path) if path.is_file() else None
    try:
        found = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        return None
    origin = found.origin if found is not None else None
    return hash_file(Path(origin)) if origin and Path(origin).is_file() else None


def hash_inputs(inputs: Mapping[str, Path]) -> dict[str, str]:
    """Return one hash per named input file or directory."""
    return {name: hash_json(hash_tree(path)) for name, path in sorted(inputs.items())}
