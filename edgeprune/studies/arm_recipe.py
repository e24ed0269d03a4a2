"""The recipe that an arm makes of the study's."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from edgeprune.errors import UserError
from edgeprune.named_files import locate
from edgeprune.recipe import Recipe
from edgeprune.studies.schema import Arm, Study
from edgeprune.toml_file import read_toml, validate


def arm_recipe(study: Study, arm: Arm, seed: int, ratio: float | None, at: Mapping[str, Any] | None = None) -> Recipe:
    """Return the study's recipe with the study's changes, then the arm's, then those ``at`` one ratio.

    First the keys in ``drop`` go, then the tables in ``set`` are laid over what is left. ``ratio`` sets
    ``prune.amount``; None leaves the recipe's.

    Raises:
        UserError: a dropped key is not there, or the outcome is no valid recipe or has a budget; names study and arm.
    """
    source = f"study {study.name}, arm {arm.name!r}"
    data = read_toml(locate("recipes", "recipe", study.recipe))
    for drop, changes in ((study.drop, study.set), (arm.drop, arm.set), ([], at or {})):
        _drop(data, drop, source)
        _lay_over(data, changes)
    data["seed"] = seed
    if ratio is not None:
        _lay_over(data, {"prune": {"amount": 1 - 1 / ratio}})
    if "budget" in data:
        raise UserError(f"{source}: budget: a study prunes by amounts, for no board; add 'budget' to drop")
    return validate(Recipe, data, source)


def _drop(data: dict[str, Any], keys: Sequence[str], source: str) -> None:
    for key in keys:
        *tables, leaf = key.split(".")
        table: Any = data
        for name in tables:
            table = table.get(name) if isinstance(table, dict) else None
        if not isinstance(table, dict) or leaf not in table:
            raise UserError(f"{source}: drop: the recipe has no key {key!r}")
        del table[leaf]


def _lay_over(table: dict[str, Any], changes: Mapping[str, Any]) -> None:
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(table.get(key), dict):
            _lay_over(table[key], value)
        else:
            # A copy: the study's own tables must not grow with what later arms lay over them.
            table[key] = copy.deepcopy(value)
