"""Prune: dense weights to masked ones, in rounds of pruning and retraining."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from edgeprune.data import load_splits
from edgeprune.errors import UserError
from edgeprune.pipeline.stage import write_json
from edgeprune.progress import Progress
from edgeprune.pruning import Masks, Plan, compact
from edgeprune.pruning.training_only import with_training_notes
from edgeprune.pruning.weight_table import weight_table
from edgeprune.recipe import Recipe
from edgeprune.stages.network import build_network, earlier_plan, example_input, load_weights
from edgeprune.stages.rewind import epoch_weights, kept_epoch
from edgeprune.training.randomness import derive_seed
from edgeprune.training.rounds import prune_and_retrain
from edgeprune.training.selection import select_at_once
from edgeprune.training.work import Start

MASKED = "masked.safetensors"
MASKS = "masks.safetensors"
PLAN = "plan.json"
WEIGHTS = "weights.json"
HISTORY = "history.json"


def prune(recipe: Recipe, weights: Path, out: Path, progress: Progress) -> None:
    """Write the masked weights, the masks, the history and the plan (of single weights, the table) to ``out``.

    ``weights`` is the dense network's file in the train stage's directory, where a rewound epoch lies beside it.
    Continues from the last finished epoch of the last round that lies there.
    """
    splits = load_splits(recipe.data, recipe.seed, tuple(recipe.model.input_shape), progress)
    network = build_network(recipe.model, recipe.seed)
    load_weights(network, weights)
    rounds = out / "rounds"
    rounds.mkdir(exist_ok=True)
    start = starting_values(recipe, weights.parent)
    earlier = earlier_plan(recipe.model)
    result = prune_and_retrain(network, splits, recipe, work=rounds, start=start, earlier=earlier, progress=progress)
    save_file({name: tensor.contiguous() for name, tensor in result.state.items()}, out / MASKED)
    save_file({name: mask.to(torch.uint8) for name, mask in result.masks.items()}, out / MASKS)
    write_json(out / HISTORY, result.history())
    write_json(out / (WEIGHTS if result.plan is None else PLAN), _table(recipe, network, result.plan, result.masks))
    shutil.rmtree(rounds)


def starting_values(recipe: Recipe, trained: Path) -> Start | None:
    """Return what gives the state dict that each round's retraining starts from; None where survivors go on.

    Raises:
        UserError: fresh values are wanted, but the factory's do not depend on the seed.
    """
    if recipe.retrain.start == "survivors":
        return None
    epoch = kept_epoch(recipe)
    if epoch is not None:
        rewound = build_network(recipe.model, recipe.seed)
        load_weights(rewound, epoch_weights(trained, epoch))
        return lambda number: rewound.state_dict()
    fresh = recipe.model.model_copy(update={"weights": None})
    before = build_network(fresh, recipe.seed).state_dict()

    def drawn(number: int) -> dict[str, Tensor]:
        state = build_network(fresh, derive_seed(recipe.seed, "reinit", number)).state_dict()
        if all(torch.equal(state[name], before[name]) for name in state):
            raise UserError(
                f"retrain.from: {fresh.factory} returns the same weights whatever the seed, so that nothing "
                f"would be drawn afresh for {recipe.retrain.start!r}"
            )
        return state

    return drawn


def plan_only(recipe: Recipe, weights: Path, progress: Progress) -> dict[str, Any]:
    """Return the plan of the recipe's whole amount on the trained network, without changing or retraining anything.

    It is decided as a single round would; see ``Plan.to_json``, and for single weights ``weight_table``. The compact
    network is made, too: its plan's notes name what it lacks of the original's training.

    Raises:
        StageFailure: the network cannot be shrunk to the plan.
    """
    splits = load_splits(recipe.data, recipe.seed, tuple(recipe.model.input_shape), progress)
    network = build_network(recipe.model, recipe.seed)
    load_weights(network, weights)
    found = select_at_once(network, splits, recipe, earlier_plan(recipe.model), progress)
    if found.plan is None:
        return _table(recipe, network, None, found.masks)
    found.masks.apply(network)
    return _table(recipe, network, with_training_notes(found.plan, compact(network, found.plan)), found.masks)


def _table(recipe: Recipe, network: nn.Module, plan: Plan | None, masks: Masks) -> dict[str, Any]:
    if plan is None:
        return weight_table(network, (example_input(recipe.model),), masks, recipe.prune.exclude)
    found: dict[str, Any] = json.loads(plan.to_json())
    return found
