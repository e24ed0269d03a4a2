"""Train: a fresh network and data to dense weights."""

from __future__ import annotations

from pathlib import Path

from edgeprune.data import load_splits
from edgeprune.pipeline.stage import write_json
from edgeprune.progress import Progress
from edgeprune.recipe import Recipe
from edgeprune.stages.network import build_network, save_weights
from edgeprune.stages.rewind import epoch_weights, kept_epoch
from edgeprune.training import Callback, fit
from edgeprune.training.keep_epoch import KeepEpoch

WEIGHTS = "model.safetensors"
HISTORY = "history.json"


def train(recipe: Recipe, out: Path, progress: Progress) -> None:
    """Write ``model.safetensors`` and ``history.json`` to ``out``; continues from the last finished epoch.

    Where the recipe rewinds, ``epoch-<n>.safetensors`` holds the weights it goes back to.
    """
    splits = load_splits(recipe.data, recipe.seed, tuple(recipe.model.input_shape), progress)
    network = build_network(recipe.model, recipe.seed)
    checkpoint = out / "checkpoint.safetensors"
    kept = kept_epoch(recipe)
    callbacks: list[Callback] = []
    if kept == 0:
        save_weights(network, epoch_weights(out, 0))
    elif kept is not None:
        callbacks = [KeepEpoch(kept, lambda model: save_weights(model, epoch_weights(out, kept)))]
    history = fit(
        network,
        splits,
        recipe.train,
        seed=recipe.seed,
        callbacks=callbacks,
        checkpoint=checkpoint,
        progress=progress,
    )
    save_weights(network, out / WEIGHTS)
    write_json(out / HISTORY, history.as_dict())
    checkpoint.unlink(missing_ok=True)
