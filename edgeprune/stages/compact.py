"""Compact: masked weights to a smaller dense network that computes the same."""

from __future__ import annotations

import json
from pathlib import Path

from torch import nn

from edgeprune.errors import UserError
from edgeprune.pipeline.stage import write_json
from edgeprune.progress import Progress
from edgeprune.pruning import Plan, compact_like, eliminate_dead
from edgeprune.pruning import compact as remove
from edgeprune.recipe import Recipe
from edgeprune.stages.network import build_network, example_input, load_weights, save_weights
from edgeprune.stages.prune import MASKED

WEIGHTS = "compact.safetensors"
PLAN = "plan.json"


def compact(recipe: Recipe, pruned: Path, out: Path, progress: Progress) -> None:
    """Write ``compact.safetensors`` and ``plan.json`` (the kept indices) to ``out``.

    Everything that cannot change the output goes: the channels that were pruned, and what is dead besides. The two
    files and the network's own class are all that is needed to load it again, see `load_compact`.
    """
    masked = build_network(recipe.model, recipe.seed)
    load_weights(masked, pruned / MASKED)
    masked.eval()
    plan = eliminate_dead(masked, (example_input(recipe.model),))
    smaller = remove(masked, plan) if plan.kept else masked
    save_weights(smaller, out / WEIGHTS)
    write_json(out / PLAN, json.loads(plan.to_json()))
    ratio = plan.parameters_before / plan.parameters_after
    progress.note(f"compact: {plan.parameters_before:,} -> {plan.parameters_after:,} parameters ({ratio:.1f}x fewer)")
    for note in plan.notes:
        progress.note(f"compact: {note}")


def load_compact(recipe: Recipe, compacted: Path) -> nn.Module:
    """Return the compact network from the recipe's own class and the files ``compact`` wrote.

    Raises:
        UserError: a file is missing or was made for another network.
    """
    fresh = build_network(recipe.model, recipe.seed)
    network = compact_like(fresh, read_plan(compacted / PLAN))
    load_weights(network, compacted / WEIGHTS)
    return network


def read_plan(path: Path) -> Plan:
    """Return the plan in a file.

    Raises:
        UserError: there is no such file, or it holds no plan.
    """
    try:
        return Plan.from_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
