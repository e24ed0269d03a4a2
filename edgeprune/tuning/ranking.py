"""Ranking schedules that have not run by those that have."""

from __future__ import annotations

from math import log2, prod

import numpy as np
import xgboost
from numpy.typing import NDArray

from edgeprune.tuning.design import Decision

# Below this many measured schedules of a family a model ranks no better than chance.
_ENOUGH = 12
_ROUNDS = 40
_PARAMETERS = {
    "max_depth": 5,
    "eta": 0.2,
    "min_child_weight": 1,
    "nthread": 1,
    "objective": "reg:squarederror",
    "verbosity": 0,
}


class Ranking:
    """Boosted trees over the choices themselves, one model per family of designs, shared by all kernels of a run.

    The label of a schedule is the best time of its kernel over its own (Chen et al., "Learning to Optimize Tensor
    Programs", 2018, whose "configuration features" these are), so that what one kernel teaches helps the next of its
    family. MetaSchedule's features are read off the scheduled code instead; computing that for hundreds of schedules
    that are never measured costs more than building those that are.
    """

    def __init__(self) -> None:
        self._rows: dict[str, list[NDArray[np.float32]]] = {}
        self._kernels: dict[str, list[str]] = {}
        self._seconds: dict[str, list[float]] = {}
        self._best: dict[str, float] = {}
        self._models: dict[str, xgboost.Booster] = {}

    def add(self, family: str, kernel: str, decisions: tuple[Decision, ...], seconds: float | None) -> None:
        """Learn a measured schedule; one that failed (``None``) counts as infinitely slow."""
        self._rows.setdefault(family, []).append(features(decisions))
        self._kernels.setdefault(family, []).append(kernel)
        self._seconds.setdefault(family, []).append(float("inf") if seconds is None else seconds)
        if seconds is not None:
            self._best[kernel] = min(seconds, self._best.get(kernel, seconds))
        self._models.pop(family, None)

    def scores(self, family: str, points: list[tuple[Decision, ...]]) -> NDArray[np.float32] | None:
        """Return a score per schedule, higher for faster, ``None`` while too little is known of the family."""
        model = self._model(family)
        if model is None or not points:
            return None
        found: NDArray[np.float32] = model.predict(xgboost.DMatrix(np.stack([features(point) for point in points])))
        return found

    def _model(self, family: str) -> xgboost.Booster | None:
        rows = self._rows.get(family, [])
        if len(rows) < _ENOUGH or not rows[0].size:
            return None
        if family not in self._models:
            pairs = zip(self._kernels[family], self._seconds[family], strict=True)
            labels = [self._best.get(kernel, 0.0) / seconds for kernel, seconds in pairs]
            self._models[family] = xgboost.train(
                _PARAMETERS, xgboost.DMatrix(np.stack(rows), label=np.array(labels)), num_boost_round=_ROUNDS
            )
        return self._models[family]


def features(decisions: tuple[Decision, ...]) -> NDArray[np.float32]:
    """Return the choices as numbers: logarithms of factors, of the loops' extents and of the innermost tile's size."""
    row: list[float] = []
    innermost = 0.0
    for decision in decisions:
        if isinstance(decision, tuple):
            row += [log2(factor) for factor in decision]
            row.append(log2(prod(decision)))
            innermost += log2(decision[-1])
        else:
            row.append(float(decision))
    return np.array([*row, innermost] if row else [], dtype=np.float32)
