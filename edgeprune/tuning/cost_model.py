"""Ranking candidates that have not run by those that have."""

from __future__ import annotations

import numpy as np
import xgboost
from numpy.typing import NDArray
from tvm.ir.utils import derived_object
from tvm.s_tir import meta_schedule as ms
from tvm.s_tir.meta_schedule.utils import shash2hex

# Below this many measured candidates over all kernels a model ranks no better than chance.
_ENOUGH = 16
_ROUNDS = 40
_PARAMETERS = {
    "max_depth": 5,
    "eta": 0.2,
    "min_child_weight": 1,
    "nthread": 1,
    "objective": "reg:squarederror",
    "verbosity": 0,
}


@derived_object
class Ranking(ms.cost_model.PyCostModel):  # type: ignore[misc]
    """Boosted trees over MetaSchedule's per-store features, shared by all kernels of a run.

    The label of a candidate is the best time of its kernel over its own (Chen et al., "Learning to Optimize Tensor
    Programs", 2018), so that what one kernel teaches helps the next. TVM's own model waits for 100 samples and trains
    thousands of rounds; tuning budgets here are smaller than that wait.
    """

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._extractor = ms.feature_extractor.PerStoreFeature()
        self._generator = np.random.default_rng(seed)
        self._features: list[NDArray[np.float32]] = []
        self._seconds: list[float] = []
        self._kernels: list[str] = []
        self._booster: xgboost.Booster | None = None

    def load(self, path: str) -> None:
        """Do nothing: the model is trained anew from the database's records."""

    def save(self, path: str) -> None:
        """Do nothing: the database holds what the model is trained from."""

    def update(
        self,
        context: ms.TuneContext,
        candidates: list[ms.MeasureCandidate],
        results: list[ms.runner.RunnerResult],
    ) -> None:
        """Learn from measured candidates; a failed one counts as infinitely slow."""
        if not candidates:
            return
        kernel = str(shash2hex(context.mod))
        for features, result in zip(self._extract(context, candidates), results, strict=True):
            self._features.append(features)
            self._seconds.append(float(result.run_secs[0]) if result.run_secs else float("inf"))
            self._kernels.append(kernel)
        if len(self._seconds) >= _ENOUGH:
            self._train()

    def predict(self, context: ms.TuneContext, candidates: list[ms.MeasureCandidate]) -> NDArray[np.float64]:
        """Return a score per candidate, higher for faster; random while too little is known."""
        if self._booster is None:
            return self._generator.uniform(0, 1, len(candidates))
        features = np.stack(self._extract(context, candidates))
        scores: NDArray[np.float64] = self._booster.predict(xgboost.DMatrix(features)).astype(np.float64)
        return scores

    def _extract(self, context: ms.TuneContext, candidates: list[ms.MeasureCandidate]) -> list[NDArray[np.float32]]:
        return [_summary(stores.numpy()) for stores in self._extractor.extract_from(context, candidates)]

    def _train(self) -> None:
        seconds = np.array(self._seconds)
        kernels = np.array(self._kernels)
        labels = np.zeros(len(seconds))
        for kernel in set(self._kernels):
            own = kernels == kernel
            fastest = seconds[own].min()
            labels[own] = fastest / seconds[own] if np.isfinite(fastest) else 0.0
        data = xgboost.DMatrix(np.stack(self._features), label=labels)
        self._booster = xgboost.train(_PARAMETERS, data, num_boost_round=_ROUNDS)


def _summary(stores: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return one vector for a candidate's matrix (stores, features): its sums and its maxima."""
    if stores.shape[0] == 0:
        return np.zeros(2 * stores.shape[1], dtype=np.float32)
    return np.concatenate([stores.sum(axis=0), stores.max(axis=0)]).astype(np.float32)
