"""Which epoch of the dense training is kept for rewinding, and under which name."""

from __future__ import annotations

from pathlib import Path

from edgeprune.recipe import Recipe


def kept_epoch(recipe: Recipe) -> int | None:
    """Return the epoch of ``train`` (0 is before the first) that retraining goes back to, if it goes back."""
    return recipe.retrain.rewind_epoch if recipe.retrain.start == "rewind" else None


def epoch_weights(trained: Path, epoch: int) -> Path:
    """Return where the train stage's directory holds the weights after ``epoch``."""
    return trained / f"epoch-{epoch}.safetensors"
