"""Finding a recipe by name or path and applying ``--set`` overrides."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgeprune.errors import UserError
from edgeprune.named_files import list_named, locate
from edgeprune.recipe.schema import Recipe
from edgeprune.toml_file import field_names, read_toml, validate


def list_recipes() -> dict[str, Path]:
    """Return recipe files by name: ``./recipes`` first, then those that come with the package."""
    return list_named("recipes")


def find_recipe(name_or_path: str, overrides: Sequence[str] = ()) -> Recipe:
    """Return the recipe called ``name_or_path`` with ``key=value`` overrides applied in order; ``key=`` removes a key.

    Raises:
        UserError: no such recipe, its file or an override is not valid; names the file and the key.
    """
    path = locate("recipes", "recipe", name_or_path)
    data = read_toml(path)
    source = str(path)
    for override in overrides:
        _apply_override(data, override)
        source = f"{path} (with --set)"
    return validate(Recipe, data, source)


def _apply_override(data: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key.strip():
        raise UserError(f"--set {override!r}: write it as key=value, for example --set tune.trials=16")
    *tables, leaf = key.strip().split(".")
    if not text.strip():
        _remove(data, tables, leaf, override)
        return
    table = data
    for name in tables:
        below = table.setdefault(name, {})
        if not isinstance(below, dict):
            raise UserError(f"--set {override!r}: {name} is not a table")
        table = below
    table[leaf] = _parse_value(text.strip())


def _remove(data: dict[str, Any], tables: Sequence[str], leaf: str, override: str) -> None:
    """Take a key out, so that its default holds; one that the file does not set is at its default already."""
    table: Any = data
    for name in tables:
        table = table.get(name, {}) if isinstance(table, dict) else {}
    if isinstance(table, dict) and leaf in table:
        del table[leaf]
    elif leaf not in field_names(Recipe, tuple(tables)):
        raise UserError(f"--set {override!r}: there is no such key to take out of the recipe")


def _parse_value(text: str) -> Any:
    """Read the value as TOML; a bare word that is not TOML is taken as a string."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
