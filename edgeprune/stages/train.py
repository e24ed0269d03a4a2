"""Train: a fresh network and data to dense weights."""

from __future__ import annotations

from pathlib import Path

from edgeprune.data import load_splits
from edgeprune.pipeline.stage import write_json
from edgeprune.progress import Progress
from edgeprune.recipe import Recipe
from edgeprune.stages.network import build_network, save_weights
from edgeprune.training import fit

WEIGHTS = "model.safetensors"
HISTORY = "history.json"


def train(recipe: Recipe, out: Path, progress: Progress) -> None:
    """Write ``model.safetensors`` and ``history.json`` to ``out``; continues from the last finished epoch."""
    splits = load_splits(recipe.data, recipe.seed, tuple(recipe.model.input_shape), progress)
    network = build_network(recipe.model, recipe.seed)
    checkpoint = out / "checkpoint.safetensors"
    history = fit(network, splits, recipe.train, seed=recipe.seed, checkpoint=checkpoint, progress=progress)
    save_weights(network, out / WEIGHTS)
    write_json(out / HISTORY, history.as_dict())
    checkpoint.unlink(missing_ok=True)
