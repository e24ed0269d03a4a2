"""What masks of single weights leave, layer by layer and in all."""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any

from torch import Tensor, nn

from edgeprune.pruning.dead import eliminate_dead
from edgeprune.pruning.masks import Masks
from edgeprune.pruning.prunable import layer_of, prunable_weights


def weight_table(
    model: nn.Module, example_inputs: tuple[Tensor, ...], masks: Masks, exclude: Sequence[str] = ()
) -> dict[str, Any]:
    """Return JSON-able figures of ``masks`` on ``model``, which is not changed.

    ``layers`` and ``weights`` count single weights before and after; ``channels``, ``parameters`` and ``macs`` are of
    the dense network that is left when what is dead with these masks goes.

    Raises:
        StageFailure: the network cannot be traced.
    """
    masked = copy.deepcopy(model).eval()
    masks.apply(masked)
    dense = json.loads(eliminate_dead(masked, example_inputs).to_json())
    layers = []
    for name, parameter in prunable_weights(model).items():
        layer = layer_of(name)
        kind = type(model.get_submodule(name.rpartition(".")[0])).__name__
        live = int(masks[name].sum()) if name in masks else parameter.numel()
        layers.append(_row(layer, kind, parameter.numel(), live, name in masks, exclude))
    weights = {side: sum(layer[side] for layer in layers) for side in ("before", "after")}
    return {"layers": layers, "weights": weights} | {
        key: dense[key] for key in ("channels", "parameters", "macs", "notes")
    }


def _row(layer: str, kind: str, before: int, after: int, masked: bool, exclude: Sequence[str]) -> dict[str, Any]:
    reason = None
    if not masked:
        pattern = next((pattern for pattern in exclude if fnmatchcase(layer, pattern)), None)
        reason = f"excluded by {pattern!r}" if pattern is not None else "its rows make the network's outputs"
    return {"name": layer, "kind": kind, "before": before, "after": after, "pinned": reason}
