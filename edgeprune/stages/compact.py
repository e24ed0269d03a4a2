"""Compact: masked weights to a smaller dense network that computes the same."""

from __future__ import annotations

import json
from pathlib import Path

from torch import nn

from edgeprune.pipeline.stage import write_json
from edgeprune.progress import Progress
from edgeprune.pruning import compact as remove
from edgeprune.pruning import compact_like, compose, eliminate_dead, trace_coupling
from edgeprune.pruning.make_plan import prefer_of
from edgeprune.pruning.training_only import with_training_notes
from edgeprune.recipe import Recipe
from edgeprune.stages.network import build_network, earlier_plan, example_input, load_weights, read_plan, save_weights
from edgeprune.stages.prune import MASKED

WEIGHTS = "compact.safetensors"
PLAN = "plan.json"
FROM_ORIGINAL = "from-original.json"


def compact(recipe: Recipe, pruned: Path, out: Path, progress: Progress) -> None:
    """Write ``compact.safetensors`` and ``plan.json`` (the kept indices) to ``out``.

    The plan is about the network the run began with; where that was pruned before (``model.plan``),
    ``from-original.json`` is the plan of both prunings together.

    Everything that cannot change the output goes: the channels that were pruned, and what is dead besides. The two
    files and the network's own class are all that is needed to load it again, see `load_compact`.
    """
    masked = build_network(recipe.model, recipe.seed)
    load_weights(masked, pruned / MASKED)
    masked.eval()
    inputs = (example_input(recipe.model),)
    coupling = trace_coupling(masked, inputs, prefer_of(recipe.prune))
    plan = eliminate_dead(masked, inputs, coupling=coupling)
    smaller = remove(masked, plan, coupling=coupling) if plan.kept else masked
    plan = with_training_notes(plan, smaller)
    save_weights(smaller, out / WEIGHTS)
    write_json(out / PLAN, json.loads(plan.to_json()))
    earlier = earlier_plan(recipe.model)
    if earlier is not None:
        write_json(out / FROM_ORIGINAL, json.loads(compose(earlier, plan).to_json()))
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
