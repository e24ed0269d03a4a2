"""What the recipe's budget allows on its board against what the finished binary takes there."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path

from edgeprune.recipe import Limit, Recipe
from edgeprune.reporting import BudgetLine, Figure, TargetResult, VariantResult
from edgeprune.stages.within_budget import RESULT


def budget_lines(recipe: Recipe, chosen_in: Path, targets: Iterable[TargetResult]) -> tuple[BudgetLine, ...]:
    """Return a line per limit of the budget, none where the recipe has none."""
    if recipe.budget is None:
        return ()
    board = json.loads((chosen_in / RESULT).read_text(encoding="utf-8"))["target"]
    pruned = next(result for target in targets if target.name == board for result in target.variants[1:])
    return tuple(
        BudgetLine(target=board, name=_NAMES[key], limit=_SCALE[key] * limit, taken=_TAKEN[key](pruned))
        for key, limit in recipe.budget.limits.items()
    )


def _time(pruned: VariantResult) -> Figure:
    """Return the median latency, or where the board is emulated the estimated time."""
    if pruned.latency.p50.value is None and pruned.cycles is not None:
        return pruned.cycles.time
    return pruned.latency.p50


def _size(pruned: VariantResult) -> Figure:
    weights, code = pruned.weight_bytes.value, pruned.code_bytes.value
    assert weights is not None and code is not None  # the manifest always has them
    return Figure.computed(weights + code, "B")


_NAMES: dict[Limit, str] = {"latency_us": "latency", "size_kb": "weights and code", "memory_kb": "arena"}
_SCALE: dict[Limit, float] = {"latency_us": 1, "size_kb": 1000, "memory_kb": 1000}
_TAKEN: dict[Limit, Callable[[VariantResult], Figure]] = {
    "latency_us": _time,
    "size_kb": _size,
    "memory_kb": lambda pruned: pruned.arena_bytes,
}
