"""docs/recipes.md names every key a recipe may have, and no other."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel

from edgeprune.recipe import Recipe

PAGE = Path(__file__).parents[2] / "docs" / "recipes.md"


def keys(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from keys(field.annotation, f"{prefix}{name}.")
        else:
            yield f"{prefix}{field.alias or name}"


def test_every_key_is_documented_and_every_documented_key_exists() -> None:
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    documented = {key for row in rows for key in re.findall(r"`([a-z_]+(?:\.[a-z0-9_]+)?)`", row.split(" | ")[0])}
    retrain = next(row for row in rows if row.startswith("| **`[retrain]`**"))
    documented |= set(re.findall(r"`(retrain\.[a-z0-9_]+)`", retrain))
    assert documented == set(keys(Recipe))
