"""What decides a stage's result beside its files: the recipe's parts, the user's own code, the packages."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

from edgeprune.errors import UserError
from edgeprune.pipeline.content_hash import hash_file, hash_listing, hash_user_code
from edgeprune.recipe import Data, ModelSource, Prune, Recipe, Train
from edgeprune.recipe.amounts_file import amounts_file


def package_versions(*packages: str) -> dict[str, str]:
    """Return the installed version of each package."""
    return {package: version(package) for package in packages}


def recipe_facts(recipe: Recipe, *parts: str) -> dict[str, Any]:
    """Return the named parts of a recipe with the seed and the hashes of what they point to."""
    facts: dict[str, Any] = {"seed": recipe.seed}
    for part in parts:
        value = getattr(recipe, part)
        facts[part] = value.model_dump(mode="json")
        facts[f"{part}.files"] = _pointed_to(value)
    return facts


def _pointed_to(part: object) -> dict[str, str | None]:
    if isinstance(part, ModelSource):
        found = {"factory": hash_user_code(part.factory)}
        if part.weights is not None:
            found["weights"] = _hash_existing("model.weights", Path(part.weights))
        if part.plan is not None:
            found["plan"] = _hash_existing("model.plan", Path(part.plan))
        return found
    if isinstance(part, Train):
        found = {spec: hash_user_code(spec) for spec in part.callbacks}
        return found | ({"fit": hash_user_code(part.fit)} if part.fit is not None else {})
    if isinstance(part, Prune):
        specs = {key: getattr(part, key) for key in ("criterion", "schedule")}
        found = {key: hash_user_code(spec) for key, spec in specs.items() if ":" in spec}
        amounts = amounts_file(part)
        return found | ({"amounts_from": hash_file(amounts)} if amounts is not None else {})
    if isinstance(part, Data):
        return _data_files(part)
    return {}


def _data_files(data: Data) -> dict[str, str | None]:
    if data.factory is not None:
        return {"factory": hash_user_code(data.factory)}
    if data.path is not None:
        return {"path": _hash_existing("data.path", Path(data.path))}
    return {}  # named datasets are verified by their checksums whenever they are read


def _hash_existing(key: str, path: Path) -> str:
    if path.is_dir():
        return hash_listing(path)
    if path.is_file():
        return hash_file(path)
    raise UserError(f"{key}: {path}: no such file or directory")
