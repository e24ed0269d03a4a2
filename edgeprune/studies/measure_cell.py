"""Computing one cell: the same training and pruning functions as a recipe's run calls."""

from __future__ import annotations

import copy
import json
import time
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import nn

from edgeprune.data import Splits, load_splits
from edgeprune.progress import Progress
from edgeprune.pruning import Coupling, Masks, Plan, trace_coupling, weight_masks
from edgeprune.pruning.prunable import layer_of
from edgeprune.recipe import Data, ModelSource, Override, Recipe
from edgeprune.stages.network import build_network, load_weights
from edgeprune.stages.prune import starting_values
from edgeprune.stages.train import WEIGHTS
from edgeprune.studies.captured import Captured, measure_captured
from edgeprune.studies.cells import Cell, phases_of
from edgeprune.training import Round, fit, prune_and_retrain
from edgeprune.training.randomness import derive_seed


def measure_cell(cell: Cell, dense: Path, partial: Path, progress: Progress) -> dict[str, Any]:
    """Return the cell's JSON-able result.

    ``dense`` is the directory of the trained network, ``partial`` one that an interrupted cell continues from. The
    weights are those of the last epoch, picked by nothing; the test split is read once, when all networks are there.
    """
    clock, processor = time.perf_counter(), time.process_time()
    splits = _splits(cell.recipe.model_dump_json(include={"data", "seed", "model"}))
    network = build_network(cell.recipe.model, cell.recipe.seed)
    load_weights(network, dense / WEIGHTS)
    make = {"dense": _as_trained, "control": _trained_further, "pruned": _pruned}[cell.kind]
    captured = make(cell, network, splits, dense, partial, progress)
    points = [measure_captured(one, splits, lambda: _coupling(cell.recipe.model.model_dump_json())) for one in captured]
    return {
        "arm": cell.arm,
        "kind": cell.kind,
        "seed": cell.seed,
        "seconds": round(time.perf_counter() - clock, 1),
        "processor_seconds": round(time.process_time() - processor, 1),
        "points": points,
    }


@lru_cache(maxsize=1)
def _splits(recipe: str) -> Splits:
    """Return the splits of a recipe's parts as JSON; cells of one seed follow each other and share them."""
    parts = json.loads(recipe)
    return load_splits(Data.model_validate(parts["data"]), parts["seed"], parts["model"]["input_shape"])


@lru_cache(maxsize=1)
def _coupling(source: str) -> Coupling:
    """Return the coupling of a model source as JSON: tracing takes longer than all else that is counted."""
    parsed = ModelSource.model_validate_json(source)
    return trace_coupling(build_network(parsed, 0), (torch.zeros(1, *parsed.input_shape),))


def _as_trained(
    cell: Cell, network: nn.Module, splits: Splits, dense: Path, partial: Path, progress: Progress
) -> list[Captured]:
    return [Captured(cell.ratios[0], network)]


def _trained_further(
    cell: Cell, network: nn.Module, splits: Splits, dense: Path, partial: Path, progress: Progress
) -> list[Captured]:
    """Train the dense network through the rounds' phases, with their epochs and orders of samples but no masks."""
    settings, captured, phases = cell.recipe.retrain, [], phases_of(cell.recipe)
    for number in phases:
        last = number == phases[-1] and settings.final_epochs is not None
        fit(
            network,
            splits,
            settings,
            seed=derive_seed(cell.seed, "retrain", number),
            epochs=settings.final_epochs if last else settings.epochs,
            checkpoint=partial / f"control-{number}.safetensors",
            progress=progress,
        )
        if number in cell.ratios:
            captured.append(Captured(cell.ratios[number], copy.deepcopy(network)))
    return captured


def _pruned(
    cell: Cell, network: nn.Module, splits: Splits, dense: Path, partial: Path, progress: Progress
) -> list[Captured]:
    captured: list[Captured] = []

    def keep(done: Round, model: nn.Module, masks: Masks, plan: Plan | None) -> None:
        if done.number in cell.ratios:
            captured.append(Captured.of(model, masks, plan, cell.ratios[done.number], done.before_retraining))

    recipe = cell.recipe
    if cell.densities is not None:
        recipe = _with_densities(recipe, network, cell.densities)
    start = starting_values(recipe, dense)
    prune_and_retrain(network, splits, recipe, work=partial, start=start, after_round=keep, progress=progress)
    return captured


def _with_densities(recipe: Recipe, dense: nn.Module, other: Recipe) -> Recipe:
    """Return ``recipe`` with each layer losing the share of its weights that ``other`` takes off the dense network."""
    masks = weight_masks(dense, other.prune, seed=derive_seed(other.seed, "prune", 1))
    overrides = [Override(pattern=layer_of(name), amount=_dead_share(mask)) for name, mask in masks.items()]
    prune = recipe.prune.model_copy(update={"override": overrides})
    return recipe.model_copy(update={"prune": prune})


def _dead_share(mask: torch.Tensor) -> float:
    return int((~mask).sum()) / mask.numel()
