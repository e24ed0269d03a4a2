"""A study cut down to see that it runs."""

from __future__ import annotations

from typing import Any

from edgeprune.studies.arm_recipe import arm_recipe
from edgeprune.studies.schema import Arm, Study

_SAMPLES = 2000
_EPOCHS = 1


def quick_study(study: Study) -> Study:
    """Return the study on 2,000 samples with at most one epoch per phase: it runs in a minute or two, shows nothing."""
    arms = [arm.model_copy(update={"set": _laid_over(arm.set, _changes(study, arm))}) for arm in study.arm]
    return study.model_copy(update={"name": f"{study.name}-quick", "arm": arms})


def _changes(study: Study, arm: Arm) -> dict[str, dict[str, int]]:
    recipe = arm_recipe(study, arm, study.seeds[0], study.ratios[-1] if study.ratios else None)
    retrain = {"epochs": min(recipe.retrain.epochs, _EPOCHS)}
    if recipe.retrain.final_epochs is not None:
        retrain["final_epochs"] = min(recipe.retrain.final_epochs, _EPOCHS)
    if recipe.retrain.rewind_epoch > _EPOCHS:
        retrain["rewind_epoch"] = _EPOCHS
    train = {"epochs": min(recipe.train.epochs, _EPOCHS)}
    return {"data": {"limit": _SAMPLES}, "train": train, "retrain": retrain}


def _laid_over(table: dict[str, Any], changes: dict[str, dict[str, int]]) -> dict[str, Any]:
    merged = dict(table)
    for name, values in changes.items():
        below = merged.get(name)
        merged[name] = (below if isinstance(below, dict) else {}) | values
    return merged
