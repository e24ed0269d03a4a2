"""What a criterion may look at, and how figures per index become one figure per coupled set."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor, nn

from edgeprune.errors import UserError
from edgeprune.pruning.coupling import KEPT, Coupling, ParameterAxis
from edgeprune.pruning.criteria.aggregation import Aggregate, Aggregation, Normalise
from edgeprune.pruning.criteria.scores import Scores
from edgeprune.pruning.trace import named_tensors

Batch = Sequence[Tensor] | Tensor

_BLOCK = 1 << 20
"""Elements in double precision at a time."""


@dataclass(frozen=True)
class Evidence:
    """A network, its coupling, calibration batches (the inputs, then the labels if any) and a seed.

    ``aggregate`` and ``normalise`` replace a criterion's own way to put layers together, where given.
    """

    coupling: Coupling
    model: nn.Module
    calibration: tuple[Batch, ...] = ()
    seed: int = 0
    aggregate: Aggregate | None = None
    normalise: Normalise | None = None

    @cached_property
    def tensors(self) -> dict[str, Tensor]:
        """The network's parameters and buffers by name."""
        return named_tensors(self.model)

    def array(self, name: str) -> Scores:
        """Return a parameter or buffer as float64: a copy twice its size, so hold one at a time."""
        return np.asarray(self.tensors[name].detach().double().cpu().numpy(), dtype=np.float64)

    def power_sums(self, name: str, axis: int, power: int) -> Scores:
        """Return the sum of ``|value| ** power`` at every index of a parameter's axis, in float64.

        Worked off in blocks of rows, so that no large matrix is held in double precision.
        """
        tensor = self.tensors[name].detach()
        others = tuple(place for place in range(tensor.ndim) if place != axis)
        rows = max(1, _BLOCK // max(1, tensor[0].numel()))
        sums = [(np.abs(block.double().cpu().numpy()) ** power).sum(axis=others) for block in torch.split(tensor, rows)]
        return np.asarray(np.concatenate(sums) if axis == 0 else np.sum(sums, axis=0))

    def combine(self, layers: Iterable[Scores], aggregate: Aggregate, normalise: Normalise) -> Scores:
        """Return one score per set out of one array per layer, as asked for, or as the criterion does by itself."""
        how = Aggregation(self.aggregate or aggregate, self.normalise or normalise)
        return how(layers, self.coupling.set_count)

    def batches(self, criterion: str) -> tuple[Batch, ...]:
        """Return the calibration batches.

        Raises:
            UserError: there are none.
        """
        if not self.calibration:
            raise UserError(f"prune.criterion {criterion!r} looks at data: give it calibration batches")
        return self.calibration


def inputs_of(batch: Batch, count: int) -> tuple[Tensor, ...]:
    """Return the network's ``count`` inputs out of a batch."""
    return (batch,) if isinstance(batch, Tensor) else tuple(batch[:count])


def per_set(axis: ParameterAxis, values: Scores, count: int) -> Scores:
    """Sum ``values`` (one per index of ``axis``) within each set; sets that do not occur are ``nan``."""
    free = axis.sets != KEPT
    total: Scores = np.bincount(axis.sets[free], weights=values[free], minlength=count).astype(np.float64)
    total[np.bincount(axis.sets[free], minlength=count) == 0] = np.nan
    return total
