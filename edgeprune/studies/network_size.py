"""What a network weighs and costs when zeros are neither stored nor multiplied."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from edgeprune.evaluation_mode import evaluation_mode
from edgeprune.pruning.prunable import layer_of, prunable_weights


@dataclass(frozen=True)
class NetworkSize:
    """``weights`` counts live entries of prunable weights, ``parameters`` all live entries, biases included.

    ``macs`` are the multiply-accumulates of linear and convolution layers per sample whose weight lives: the theory's
    speed-up, not a measured one. ``kept`` is the share of each layer's weights that lives, of those it had before
    anything was removed.
    """

    weights: int
    parameters: int
    macs: int
    kept: dict[str, float]


def network_size(
    model: nn.Module, sample: Tensor, masks: Mapping[str, Tensor], before: nn.Module | None = None
) -> NetworkSize:
    """Return the size of ``model`` with what ``masks`` hold at zero left out; ``sample`` is ``[1, ...]``.

    ``before`` is the network that a compact one was made of.
    """
    weights = prunable_weights(model)
    whole = weights if before is None else prunable_weights(before)
    live = {name: int(masks[name].sum()) if name in masks else weight.numel() for name, weight in weights.items()}
    everything = sum(parameter.numel() for parameter in model.parameters())
    dense = sum(weight.numel() for weight in weights.values())
    uses = _uses(model, sample)
    return NetworkSize(
        weights=sum(live.values()),
        parameters=everything - dense + sum(live.values()),
        macs=sum(count * uses.get(layer_of(name), 0) for name, count in live.items()),
        kept={layer_of(name): round(live[name] / whole[name].numel(), 5) for name in weights},
    )


def _uses(model: nn.Module, sample: Tensor) -> dict[str, int]:
    """Return how often each weight of a layer is multiplied per sample: once per position of its output."""
    uses: dict[str, int] = {}
    hooks = []
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear | _ConvNd):
            channels = module.out_features if isinstance(module, nn.Linear) else module.out_channels

            def count(_: Any, __: Any, output: Tensor, name: str = name, channels: int = channels) -> None:
                uses[name] = uses.get(name, 0) + output[0].numel() // channels

            hooks.append(module.register_forward_hook(count))
    try:
        with evaluation_mode(model), torch.inference_mode():
            model(sample)
    finally:
        for hook in hooks:
            hook.remove()
    return uses
