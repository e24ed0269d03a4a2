"""A study cut down to see that it runs."""

from __future__ import annotations

from typing import Any

from edgeprune.studies.schema import Study

_SAMPLES = 2000
_EPOCHS = 1


def quick_study(study: Study) -> Study:
    """Return the study on 2,000 samples with one epoch per phase: it runs through in a minute and shows nothing."""
    changes = {"data": {"limit": _SAMPLES}, "train": {"epochs": _EPOCHS}, "retrain": {"epochs": _EPOCHS}}
    arms = [arm.model_copy(update={"set": _laid_over(arm.set, changes)}) for arm in study.arm]
    return study.model_copy(update={"name": f"{study.name}-quick", "arm": arms})


def _laid_over(table: dict[str, Any], changes: dict[str, dict[str, int]]) -> dict[str, Any]:
    merged = dict(table)
    for name, values in changes.items():
        below = merged.get(name)
        merged[name] = (below if isinstance(below, dict) else {}) | values
    return merged
