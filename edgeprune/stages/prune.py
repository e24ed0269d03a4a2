"""Prune: dense weights to masked ones, in rounds of pruning and retraining."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import save_file

from edgeprune.data import load_splits
from edgeprune.pipeline.stage import write_json
from edgeprune.progress import Progress
from edgeprune.pruning import Plan, make_plan
from edgeprune.recipe import Recipe
from edgeprune.stages.network import build_network, example_input, load_weights
from edgeprune.training.rounds import prune_and_retrain

MASKED = "masked.safetensors"
MASKS = "masks.safetensors"
PLAN = "plan.json"
HISTORY = "history.json"


def prune(recipe: Recipe, weights: Path, out: Path, progress: Progress) -> None:
    """Write the masked weights, the masks, the history and (for whole channels) the plan to ``out``.

    Continues from the last finished epoch of the last round that lies there.
    """
    splits = load_splits(recipe.data, recipe.seed, tuple(recipe.model.input_shape), progress)
    network = build_network(recipe.model, recipe.seed)
    load_weights(network, weights)
    rounds = out / "rounds"
    rounds.mkdir(exist_ok=True)
    result = prune_and_retrain(network, splits, recipe, work=rounds, progress=progress)
    save_file({name: tensor.contiguous() for name, tensor in result.state.items()}, out / MASKED)
    save_file({name: mask.to(torch.uint8) for name, mask in result.masks.items()}, out / MASKS)
    write_json(out / HISTORY, result.history())
    if result.plan is not None:
        write_json(out / PLAN, json.loads(result.plan.to_json()))
    shutil.rmtree(rounds)


def plan_only(recipe: Recipe, weights: Path) -> Plan:
    """Return the plan of the recipe's whole amount on the trained network, without pruning or retraining anything."""
    network = build_network(recipe.model, recipe.seed)
    load_weights(network, weights)
    return make_plan(network, (example_input(recipe.model),), recipe.prune, seed=recipe.seed)
