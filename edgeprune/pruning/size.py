"""How large a network is with some coupled sets removed."""

from __future__ import annotations

from math import prod

import numpy as np
from torch import Tensor, nn

from edgeprune.pruning.coupling import KEPT, Coupling, trace_coupling
from edgeprune.pruning.labels import Flags, Indices


class Size:
    """Counts parameters, multiply-accumulates and channels; ``keep`` says per set whether it stays."""

    def __init__(self, coupling: Coupling, model: nn.Module) -> None:
        self._coupling = coupling
        self._free: dict[str, tuple[int, list[Indices]]] = {}
        axes: dict[str, dict[int, Indices]] = {}
        for axis in coupling.axes:
            if (axis.sets != KEPT).any():
                axes.setdefault(axis.name, {})[axis.axis] = axis.sets
        self._fixed_parameters = 0
        for name, parameter in model.named_parameters():
            own = axes.get(coupling.trace.aliases.get(name, name), {})
            if own:
                rest = prod(size for place, size in enumerate(parameter.shape) if place not in own)
                self._free[name] = (rest, list(own.values()))
            else:
                self._fixed_parameters += parameter.numel()
        self._batch = coupling.inputs[0][0][0] if coupling.inputs and coupling.inputs[0][0] else 1

    def parameters(self, keep: Flags) -> int:
        """Return the number of parameters, shared ones counted once."""
        lives = _alive(keep)
        moving = sum(rest * prod(int(lives[sets].sum()) for sets in axes) for rest, axes in self._free.values())
        return self._fixed_parameters + moving

    def macs(self, keep: Flags) -> int:
        """Return the multiply-accumulates of convolutions, linear layers and products, per sample."""
        lives = _alive(keep)
        costs = self._coupling.costs
        total = sum(cost.factor * prod(int(lives[sets].sum()) for sets in cost.axes) for cost in costs)
        return total // self._batch

    def channels(self, keep: Flags) -> int:
        """Return the output channels of all layers together."""
        lives = _alive(keep)
        return sum(int(lives[axis.sets].sum()) for axis in self._coupling.makers())


def _alive(keep: Flags) -> Flags:
    """Return ``keep`` with one more entry at its end, which set number -1 (must stay) finds."""
    return np.concatenate([keep, [True]])


def count_macs(model: nn.Module, example_inputs: tuple[Tensor, ...]) -> int:
    """Return the multiply-accumulates of one sample (the leading axis of the first input counts samples)."""
    coupling = trace_coupling(model, example_inputs)
    return Size(coupling, model).macs(np.ones(coupling.set_count, dtype=np.bool_))


def count_parameters(model: nn.Module) -> int:
    """Return the number of parameters, shared ones counted once."""
    return sum(parameter.numel() for parameter in model.parameters())
