"""One run of trials: the loop that keeps builders and measuring cores or boards busy."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import tvm

from edgeprune.errors import StageFailure
from edgeprune.progress import Progress
from edgeprune.tuning.database import Database
from edgeprune.tuning.kernel_state import BATCH, KernelState, next_kernel
from edgeprune.tuning.outcome import Outcome
from edgeprune.tuning.pipeline import Pipeline
from edgeprune.tuning.ranking import Ranking
from edgeprune.tuning.search import KernelSearch, Proposal
from edgeprune.tuning.standing import Standing
from edgeprune.tuning.transfer import Transfer
from edgeprune.tuning.untuned import untuned

_POLL_SECONDS = 0.5


@dataclass(frozen=True)
class _InFlight:
    """A candidate on its way; without a ``proposal`` it is the schedule of an untuned kernel."""

    state: KernelState
    proposal: Proposal | None


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
        transfer: Transfer,
    ) -> None:
        """``transfer`` gives what was best elsewhere; it is asked for each kernel that has no trials yet."""
        self._states = states
        self._pipeline = pipeline
        self._records = records
        self._target = target
        self._seed = seed
        self._progress = progress
        self._scratch = scratch
        self._transfer = transfer
        self._model = Ranking()
        self._searches: dict[str, KernelSearch] = {}
        self._in_flight: dict[int, _InFlight] = {}
        self._count = 0
        self._standing = Standing(states)

    def run(self, deadline: float) -> None:
        """Work until no kernel wants trials, or propose nothing new after ``deadline`` (``time.monotonic``).

        Raises:
            StageFailure: a kernel cannot be compiled or run even without any tuning, or the disk is full.
        """
        # Those that get trials first; the others are timed as well, so that the sum is a whole inference's.
        for state in sorted(self._states, key=lambda state: not state.remaining):
            if state.remaining or state.baseline is None:
                self._add_untuned(state)
        while True:
            proposed = time.monotonic() < deadline and self._propose_if_hungry()
            if self._pipeline.empty and not proposed:
                return
            for number, outcome in self._pipeline.finished(_POLL_SECONDS):
                self._finish(number, outcome)

    def _add_untuned(self, state: KernelState) -> None:
        """Fix the kernel's reference output and time the schedule that is used where there is no record."""
        kernel = state.kernel
        self._pipeline.add_reference(kernel.workload, kernel.module, kernel.name)
        self._add(_InFlight(state, None), untuned(kernel, self._target), None)

    def _add(self, candidate: _InFlight, module: tvm.IRModule, best: float | None) -> None:
        kernel = candidate.state.kernel
        self._in_flight[self._count] = candidate
        self._pipeline.add(self._count, kernel.workload, kernel.name, module, best)
        self._count += 1

    def _propose_if_hungry(self) -> bool:
        """Queue a batch of the most promising kernel if the builders are about to run dry."""
        if self._pipeline.waiting_to_build >= BATCH // 2:
            return False
        state = next_kernel(self._states, self._pipeline.places)
        if state is None:
            return False
        proposals = self._search(state).propose(min(BATCH, state.remaining))
        if not proposals and not state.in_flight:
            state.exhausted = True
            self._records.set_exhausted(state.kernel.workload)
            self._progress.note(f"{state.kernel.name}: no further schedules after {state.trials + state.reused} trials")
        for proposal in proposals:
            self._add(_InFlight(state, proposal), proposal.candidate.sch.mod, state.used)
        state.in_flight += len(proposals)
        return bool(proposals) or state.exhausted

    def _search(self, state: KernelState) -> KernelSearch:
        kernel = state.kernel
        if kernel.workload not in self._searches:
            known = self._records.trials(kernel.workload)
            seed = self._seed * 7919 + int(kernel.workload) % 104729 + len(known)
            starts = [] if known else self._transfer.starts()
            scratch = self._scratch / kernel.workload
            self._searches[kernel.workload] = KernelSearch(
                kernel, self._target, self._model, known, starts, state.remaining, seed, scratch
            )
        return self._searches[kernel.workload]

    def _finish(self, number: int, outcome: Outcome) -> None:
        candidate = self._in_flight.pop(number)
        if candidate.proposal is None:
            self._finish_untuned(candidate.state, outcome)
        else:
            self._finish_trial(candidate.state, candidate.proposal, outcome)
        self._progress.table(self._standing.table())

    def _finish_untuned(self, state: KernelState, outcome: Outcome) -> None:
        kernel = state.kernel
        if outcome.seconds is None:
            raise StageFailure(f"kernel {kernel.name}: untuned: {outcome.reason}: {outcome.detail}")
        # The fastest that was ever seen, as for the trials: what disturbs a board makes it slow, and a schedule that is
        # timed on a bad day must not lose to records of a good one.
        if state.baseline is None or outcome.seconds < state.baseline:
            state.baseline = outcome.seconds
            self._records.set_baseline(kernel.workload, outcome.seconds, state.untuned_key)
        self._records.set_name(kernel.workload, kernel.name)

    def _finish_trial(self, state: KernelState, proposal: Proposal, outcome: Outcome) -> None:
        search = self._searches[state.kernel.workload]
        record = search.record(proposal, outcome)
        trial = self._records.append(list(state.kernel.workload_document), record, outcome.reason)
        state.in_flight -= 1
        state.add(trial)
        search.learn(proposal, outcome)
        self._progress.advance(self._standing.headline())
        if state.remaining == 0 and state.in_flight == 0:
            self._progress.note(_summary(state))


def _summary(state: KernelState) -> str:
    result = state.result()
    best = "no valid schedule" if result.best_us is None else f"{result.best_us:.1f} µs"
    against = "" if result.baseline_us is None else f" (untuned {result.baseline_us:.1f} µs)"
    failed = sum(result.failures.values())
    trials = f"{result.trials} trial{'' if result.trials == 1 else 's'}"
    return f"{result.name}: {best}{against}, {trials}{f', {failed} failed' if failed else ''}"
