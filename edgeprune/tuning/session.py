"""One run of trials: the loop that keeps builders and the measuring core busy."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

import tvm
from tvm.s_tir import meta_schedule as ms

from edgeprune.errors import StageFailure
from edgeprune.lowering.default_schedule import default_schedule
from edgeprune.progress import Progress
from edgeprune.tuning.cost_model import Ranking
from edgeprune.tuning.database import Database
from edgeprune.tuning.kernel_state import BATCH, KernelState, next_kernel
from edgeprune.tuning.pipeline import Pipeline
from edgeprune.tuning.search import KernelSearch, Outcome

_POLL_SECONDS = 0.5
# Numbers of baseline candidates; those of proposed ones count up from 0.
_BASELINE = -1


@dataclass
class _Batch:
    state: KernelState
    search: KernelSearch
    candidates: list[ms.MeasureCandidate]
    outcomes: dict[int, Outcome] = field(default_factory=dict)


class Session:
    """Makes the trials the states still want, most promising kernel first, and records each as it finishes."""

    def __init__(
        self,
        states: list[KernelState],
        pipeline: Pipeline,
        records: Database,
        target: tvm.target.Target,
        seed: int,
        progress: Progress,
        scratch: Path,
    ) -> None:
        self._states = states
        self._pipeline = pipeline
        self._records = records
        self._target = target
        self._seed = seed
        self._progress = progress
        self._scratch = scratch
        self._model = Ranking(seed)
        self._searches: dict[str, KernelSearch] = {}
        self._where: dict[int, tuple[_Batch, int]] = {}
        self._proposed = 0

    def run(self, deadline: float) -> None:
        """Work until no kernel wants trials, or propose nothing new after ``deadline`` (``time.monotonic``)."""
        for state in self._states:
            if state.remaining:
                self._measure_baseline(state)
        while True:
            proposed = time.monotonic() < deadline and self._propose_if_hungry()
            if self._pipeline.empty and not proposed:
                return
            for number, outcome in self._pipeline.finished(_POLL_SECONDS):
                self._finish(number, outcome)

    def _measure_baseline(self, state: KernelState) -> None:
        """Fix the kernel's reference output and time the schedule that is used where there is no record."""
        kernel = state.kernel
        self._pipeline.set_reference(kernel.workload, kernel.module, kernel.name)
        untuned = tvm.IRModule({"main": default_schedule(kernel.module["main"], self._target)})
        self._pipeline.add(_BASELINE, kernel.workload, untuned, None)
        while not self._pipeline.empty:
            for _, outcome in self._pipeline.finished(_POLL_SECONDS):
                if outcome.seconds is None:
                    raise StageFailure(f"kernel {kernel.name}: untuned: {outcome.reason}: {outcome.detail}")
                state.baseline = outcome.seconds
                self._records.set_baseline(kernel.workload, outcome.seconds)
                self._records.set_name(kernel.workload, kernel.name)

    def _propose_if_hungry(self) -> bool:
        """Queue a batch of the most promising kernel if the builders are about to run dry."""
        if self._pipeline.waiting_to_build >= BATCH // 2:
            return False
        state = next_kernel(self._states)
        if state is None:
            return False
        search = self._search(state)
        candidates = search.propose()[: state.remaining]
        if not candidates:
            state.exhausted = True
            self._records.set_exhausted(state.kernel.workload)
            self._progress.note(f"{state.kernel.name}: no further schedules after {state.trials + state.reused} trials")
            return True
        state.in_flight = True
        batch = _Batch(state, search, candidates)
        for index, candidate in enumerate(candidates):
            self._where[self._proposed] = (batch, index)
            self._pipeline.add(self._proposed, state.kernel.workload, candidate.sch.mod, state.used)
            self._proposed += 1
        return True

    def _search(self, state: KernelState) -> KernelSearch:
        kernel = state.kernel
        if kernel.workload not in self._searches:
            known = self._records.trials(kernel.workload)
            seed = self._seed * 7919 + int(kernel.workload) % 104729 + len(known)
            self._searches[kernel.workload] = KernelSearch(
                kernel, self._target, self._model, known, state.remaining, BATCH, seed, self._scratch / kernel.workload
            )
        return self._searches[kernel.workload]

    def _finish(self, number: int, outcome: Outcome) -> None:
        batch, index = self._where.pop(number)
        record = batch.search.record(batch.candidates[index], outcome)
        kernel = batch.state.kernel
        trial = self._records.append(list(kernel.workload_document), record, outcome.reason)
        batch.state.add(trial)
        batch.outcomes[index] = outcome
        self._progress.advance(self._headline())
        if len(batch.outcomes) == len(batch.candidates):
            batch.search.learn(batch.candidates, [batch.outcomes[i] for i in range(len(batch.candidates))])
            batch.state.in_flight = False
            if batch.state.remaining == 0:
                self._progress.note(_summary(batch.state))

    def _headline(self) -> str:
        times = [(state.kernel.calls, state.used) for state in self._states]
        known = [calls * seconds for calls, seconds in times if seconds is not None]
        return f"{sum(known) * 1e6:.1f} µs per inference" + (
            "" if len(known) == len(times) else " in the kernels so far"
        )


def _summary(state: KernelState) -> str:
    result = state.result()
    best = "no valid schedule" if result.best_us is None else f"{result.best_us:.1f} µs"
    failed = sum(result.failures.values())
    return (
        f"{result.name}: {best} (untuned {result.baseline_us:.1f} µs), "
        f"{result.trials} trials{f', {failed} failed' if failed else ''}"
    )
