"""The recipe with the amounts that its budget came to."""

from __future__ import annotations

import json
from pathlib import Path

from edgeprune.recipe import Recipe

RESULT = "budget.json"


def within_budget(recipe: Recipe, chosen_in: Path) -> Recipe:
    """Return ``recipe`` with the share of its pruning that the budget stage left in ``chosen_in``.

    A recipe without a budget is returned as it is.
    """
    if recipe.budget is None:
        return recipe
    share = json.loads((chosen_in / RESULT).read_text(encoding="utf-8"))["share"]
    return recipe.model_copy(update={"prune": recipe.prune.scaled(share)})
