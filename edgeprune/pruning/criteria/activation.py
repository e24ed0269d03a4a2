"""What flows: mean activation, and the share of zeros (Hu et al., "Network trimming", 2016)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from edgeprune.evaluation_mode import evaluation_mode
from edgeprune.pruning.coupling import KEPT
from edgeprune.pruning.criteria.evidence import Evidence, inputs_of
from edgeprune.pruning.criteria.scores import Scores


def activation_mean(evidence: Evidence) -> Scores:
    """Mean absolute value of what the next layers read, each reader divided by its mean, averaged over readers."""
    return evidence.combine(_observed(evidence, "activation-mean", torch.abs), "mean", "mean")


def apoz(evidence: Evidence) -> Scores:
    """One minus the average percentage of zeros (APoZ) in what the next layers read, averaged over readers."""
    shares = _observed(evidence, "apoz", lambda values: (values != 0).to(values.dtype))
    return evidence.combine(shares, "mean", "none")


def _count(evidence: Evidence) -> int:
    return evidence.coupling.set_count


def _observed(evidence: Evidence, criterion: str, measure: Callable[[Tensor], Tensor]) -> list[Scores]:
    """Run the calibration batches and return, per layer that reads channels, the mean of ``measure`` per set."""
    sums: dict[str, Tensor] = {}
    numbers: dict[str, int] = {}
    hooks = []
    modules = dict(evidence.model.named_modules())
    readers = _readers(evidence)
    for name, (axis, _) in readers.items():
        hooks.append(modules[name].register_forward_pre_hook(_hook(name, axis, measure, sums, numbers)))
    try:
        with evaluation_mode(evidence.model), torch.no_grad():
            for batch in evidence.batches(criterion):
                evidence.model(*inputs_of(batch, len(evidence.coupling.inputs)))
    finally:
        for hook in hooks:
            hook.remove()
    return [_spread(evidence, readers[name][1], sums[name] / numbers[name]) for name in sums]


def _readers(evidence: Evidence) -> dict[str, tuple[int, Any]]:
    """Return the modules whose own weight reads channels, with the axis from the end and its sets."""
    found: dict[str, tuple[int, Any]] = {}
    for reader in evidence.coupling.readers:
        module, _, leaf = reader.weight.rpartition(".")
        axes = evidence.coupling.layouts[reader.data][0]
        sets = axes[reader.axis]
        if leaf == "weight" and module and sets is not None and (sets != KEPT).any():
            found[module] = (reader.axis - len(axes), sets)
    return found


def _hook(
    name: str, axis: int, measure: Callable[[Tensor], Tensor], sums: dict[str, Tensor], numbers: dict[str, int]
) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
    def observe(module: nn.Module, arguments: tuple[Tensor, ...]) -> None:
        values = measure(arguments[0].detach().double()).movedim(axis, -1).flatten(0, -2)
        sums[name] = sums.get(name, torch.zeros(values.shape[-1], dtype=values.dtype)) + values.sum(0).cpu()
        numbers[name] = numbers.get(name, 0) + values.shape[0]

    return observe


def _spread(evidence: Evidence, sets: Any, values: Tensor) -> Scores:
    free = sets != KEPT
    count = _count(evidence)
    total = np.bincount(sets[free], weights=values.numpy()[free], minlength=count)
    members = np.bincount(sets[free], minlength=count)
    return np.where(members > 0, total / np.maximum(members, 1), np.nan)
