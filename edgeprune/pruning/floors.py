"""No layer is wiped out: some index of every axis stays."""

from __future__ import annotations

import numpy as np

from edgeprune.pruning.coupling import KEPT, Coupling
from edgeprune.pruning.labels import Flags


class Floors:
    """Holds back the removal of an axis's last index."""

    def __init__(self, coupling: Coupling) -> None:
        self._axes = [np.unique(axis.sets) for axis in coupling.axes if not (axis.sets == KEPT).any()]

    def allow(self, keep: Flags, gone: Flags) -> Flags:
        """Return which of ``gone`` may go when ``keep`` stands: the first set of an axis that would vanish stays."""
        allowed = gone.copy()
        for sets in self._axes:
            left = keep[sets] & ~allowed[sets]
            if not left.any():
                allowed[sets[np.argmax(keep[sets])]] = False
        return allowed
