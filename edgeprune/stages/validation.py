"""What the network of a run answers right on the validation split, as training and pruning have written it down."""

from __future__ import annotations

import json
from pathlib import Path

from edgeprune.stages.variant import Variant


def history_file(root: Path, variant: Variant) -> Path:
    """Return the file that `validation_accuracy` reads."""
    return root / ("prune" if variant == "pruned" else "train") / "history.json"


def validation_accuracy(root: Path, variant: Variant) -> float | None:
    """Return the last fraction of the phase that made ``variant``, or None where it had no epoch."""
    history = json.loads(history_file(root, variant).read_text(encoding="utf-8"))
    if variant == "pruned":
        return float(history["rounds"][-1]["after_retraining"])
    return float(history["epochs"][-1]["validation_accuracy"]) if history["epochs"] else None
