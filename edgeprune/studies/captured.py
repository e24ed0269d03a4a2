"""Networks at their operating points, held until the test split is read."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import nn

from edgeprune.data import Splits
from edgeprune.pruning import Coupling, Masks, Plan, compact, eliminate_dead
from edgeprune.studies.network_size import network_size
from edgeprune.training import Accuracy, evaluate


@dataclass(frozen=True)
class Captured:
    """A finished network; ``ratio`` is what was asked of it.

    ``before_retraining`` is its validation accuracy then, ``masked`` the network that a compact one was made of.
    """

    ratio: float | None
    network: nn.Module
    masks: Masks = field(default_factory=lambda: Masks({}))
    before_retraining: float | None = None
    masked: nn.Module | None = None

    @classmethod
    def of(cls, model: nn.Module, masks: Masks, plan: Plan | None, ratio: float | None, before: float) -> Captured:
        """Return a copy of ``model``, made compact where whole channels went."""
        if plan is not None:
            return cls(ratio, compact(model, plan), before_retraining=before, masked=model)
        return cls(ratio, copy.deepcopy(model), masks, before)


def measure_captured(captured: Captured, splits: Splits, coupling: Callable[[], Coupling]) -> dict[str, Any]:
    """Return the JSON-able figures of one operating point; this is where the test split is read.

    ``parameters_without_dead`` counts the dense network that is left when dead neurons and channels are removed;
    ``coupling`` gives that of the network where it is masked.
    """
    sample = torch.zeros(1, *splits.input_shape)
    network, without_dead = captured.network, None
    if captured.masks:
        without_dead = eliminate_dead(network, (sample,), coupling=coupling()).parameters_after
    return {
        "ratio": captured.ratio,
        **asdict(network_size(network, sample, captured.masks, captured.masked)),
        "parameters_without_dead": without_dead,
        "validation_before_retraining": captured.before_retraining,
        "validation": _counts(evaluate(network, splits.validation)),
        "test": _counts(evaluate(network, splits.test)),
    }


def _counts(accuracy: Accuracy) -> dict[str, Any]:
    return {"correct": accuracy.correct, "total": accuracy.total, "loss": round(accuracy.loss, 6)}
