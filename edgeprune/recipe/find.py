"""Finding a recipe by name or path and applying ``--set`` overrides."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgeprune.errors import UserError
from edgeprune.recipe.schema import Recipe
from edgeprune.shipped import shipped_directory
from edgeprune.toml_file import read_toml, validate


def list_recipes() -> dict[str, Path]:
    """Return recipe files by name: ``./recipes`` first, then those that come with the package."""
    found: dict[str, Path] = {}
    for directory in (Path("recipes"), shipped_directory("recipes")):
        for path in sorted(directory.glob("*.toml")):
            found.setdefault(path.stem, path)
    return dict(sorted(found.items()))


def find_recipe(name_or_path: str, overrides: Sequence[str] = ()) -> Recipe:
    """Return the recipe called ``name_or_path`` with ``key=value`` overrides applied.

    Raises:
        UserError: no such recipe, its file or an override is not valid; names the file and the key.
    """
    path = _locate(name_or_path)
    data = read_toml(path)
    source = str(path)
    for override in overrides:
        _apply_override(data, override)
        source = f"{path} (with --set)"
    return validate(Recipe, data, source)


def _locate(name_or_path: str) -> Path:
    if name_or_path.endswith(".toml"):
        return Path(name_or_path)
    known = list_recipes()
    if name_or_path in known:
        return known[name_or_path]
    close = difflib.get_close_matches(name_or_path, known, n=3, cutoff=0.4)
    hint = f"did you mean {' or '.join(close)}?" if close else f"known: {', '.join(known)}"
    raise UserError(f"recipe {name_or_path!r}: no such recipe; {hint}")


def _apply_override(data: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key.strip():
        raise UserError(f"--set {override!r}: write it as key=value, for example --set tune.trials=16")
    *tables, leaf = key.strip().split(".")
    table = data
    for name in tables:
        below = table.setdefault(name, {})
        if not isinstance(below, dict):
            raise UserError(f"--set {override!r}: {name} is not a table")
        table = below
    table[leaf] = _parse_value(text.strip())


def _parse_value(text: str) -> Any:
    """Read the value as TOML; a bare word that is not TOML is taken as a string."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
