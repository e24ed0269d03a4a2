"""Finding a target by name or path, and completing it by what it extends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgeprune.errors import UserError
from edgeprune.named_files import list_named, locate
from edgeprune.target.address import split_address
from edgeprune.target.schema import Target
from edgeprune.toml_file import read_toml, validate


def list_targets() -> dict[str, Path]:
    """Return target files by name: ``./targets`` first, then those that come with the package."""
    return list_named("targets")


def find_target(name_or_path: str) -> Target:
    """Return the target called ``name_or_path`` (a name, or a path ending in ``.toml``).

    ``NAME@ADDRESS`` is that target reached at ``ADDRESS`` (`Address`) instead of where its file says.

    Raises:
        UserError: no such target (the nearest names are given), or its file or the address is not valid.
    """
    name_or_path, address = split_address(name_or_path)
    path = _locate(name_or_path)
    merged = _merge_chain(path, seen=())
    merged["name"] = path.stem
    if address is not None:
        merged["transport"] = address
    target = validate(Target, merged, str(path))
    if target.emulated and target.emulator is None:
        raise UserError(f"{path}: emulator: required because transport is 'qemu'")
    return target


def _locate(name_or_path: str) -> Path:
    return locate("targets", "target", name_or_path)


def _merge_chain(path: Path, seen: tuple[Path, ...]) -> dict[str, Any]:
    if path in seen:
        raise UserError(f"{path}: extends: the chain {' -> '.join(p.stem for p in (*seen, path))} never ends")
    own = read_toml(path)
    if "name" in own:
        raise UserError(f"{path}: name: the file's name is the target's name; remove this key")
    parent = own.pop("extends", None)
    if parent is None:
        return own
    if not isinstance(parent, str):
        raise UserError(f"{path}: extends: a target's name is wanted, not {parent!r}")
    beside = path.parent / f"{parent}.toml"
    base = _merge_chain(beside if beside.is_file() else _locate(parent), (*seen, path))
    return _overlay(base, own)


def _overlay(base: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in own.items():
        below = merged.get(key)
        tables = isinstance(below, dict) and isinstance(value, dict)
        merged[key] = _overlay_table(key, below, value) if tables else value
    return merged


def _overlay_table(key: str, below: Any, own: Any) -> dict[str, Any]:
    """Another kind of toolchain spells triples and CPUs in its own way: nothing of the one below would fit."""
    replaces = key == "toolchain" and own.get("kind", "zig") != below.get("kind", "zig") and "kind" in own
    return dict(own) if replaces else _overlay(below, own)
