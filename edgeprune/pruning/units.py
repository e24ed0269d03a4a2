"""What goes as one in masks without coupling: a single weight, or a row or column of a layer's weights."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvTransposeNd

from edgeprune.pruning.criteria import Scores
from edgeprune.pruning.labels import Flags


@dataclass(frozen=True)
class Units:
    """How a weight of ``shape`` falls into units: its single entries, or its slices along ``axis``."""

    shape: tuple[int, ...]
    axis: int | None

    @property
    def count(self) -> int:
        """How many units there are."""
        return prod(self.shape) if self.axis is None else self.shape[self.axis]

    @property
    def size(self) -> int:
        """How many entries a unit has."""
        return prod(self.shape) // self.count

    def mean(self, entries: Scores) -> Scores:
        """Return the mean of each unit's entries, given in the weight's shape."""
        if self.axis is None:
            return entries.reshape(-1)
        means: Scores = np.moveaxis(entries, self.axis, 0).reshape(self.count, -1).mean(axis=1)
        return means

    def gone(self, mask: Tensor) -> Flags:
        """Return which units have no entry left under a mask."""
        live = mask.cpu().numpy()
        whole = live.reshape(-1, 1) if self.axis is None else np.moveaxis(live, self.axis, 0).reshape(self.count, -1)
        return np.asarray(~whole.any(axis=1))

    def mask(self, dead: Flags) -> Tensor:
        """Return the mask that holds the dead units at zero."""
        live = torch.from_numpy(~dead)
        if self.axis is None:
            return live.reshape(self.shape)
        shape = [-1 if place == self.axis else 1 for place in range(len(self.shape))]
        return live.reshape(shape).expand(self.shape).clone()


def units_of(module: nn.Module, parameter: Tensor, granularity: str) -> Units:
    """Return a weight's units: ``row`` is what one output of its layer reads, ``column`` all that one input gives.

    A convolution's row is a filter and its column a channel of all filters (of one position in every group, if it has
    groups); a transposed convolution stores the two the other way round.
    """
    shape = tuple(parameter.shape)
    if granularity == "weight":
        return Units(shape, None)
    axis = {"row": 0, "column": 1}[granularity]
    return Units(shape, 1 - axis if isinstance(module, _ConvTransposeNd) else axis)
