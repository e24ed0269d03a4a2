"""Proposing candidates for one kernel and learning from their outcomes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tvm
from tvm.s_tir import meta_schedule as ms

from edgeprune.tuning.database import FAILED_SECONDS, Trial
from edgeprune.tuning.journal import Journal
from edgeprune.tuning.kernels import Kernel
from edgeprune.tuning.space import cpu_space


@dataclass(frozen=True)
class Outcome:
    """How a candidate fared: ``seconds`` per call, or the ``reason`` it failed and what was said about it."""

    seconds: float | None
    reason: str | None = None
    detail: str = ""


class KernelSearch:
    """Evolutionary search over one kernel's schedules, continued from the trials in the database."""

    def __init__(
        self,
        kernel: Kernel,
        target: tvm.target.Target,
        model: ms.CostModel,
        known: list[Trial],
        trials: int,
        batch: int,
        seed: int,
        scratch: Path,
    ) -> None:
        """Prepare up to ``trials`` more candidates in batches of ``batch``; ``scratch`` is a folder to create."""
        self._target = target
        self._model = model
        scratch.mkdir()
        self._lines = Journal(scratch / "records.json")
        self._database = ms.database.JSONDatabase(str(scratch / "workloads.json"), str(self._lines.path))
        self._workload = self._database.commit_workload(kernel.module)
        self._context = ms.TuneContext(
            mod=kernel.module,
            target=target,
            space_generator=cpu_space(),
            # Small populations: a candidate's proposal must not cost more than its build and measurement.
            search_strategy=ms.search_strategy.EvolutionarySearch(
                population_size=4 * batch, init_min_unmeasured=2 * batch, genetic_num_iters=2, eps_greedy=0.15
            ),
            task_name=kernel.name,
            rand_state=seed % (2**31 - 1) + 1,
            num_threads=1,
        )
        self._remember(known)
        self._context.pre_tuning(trials, batch, None, self._database, model)

    def propose(self) -> list[ms.MeasureCandidate]:
        """Return the next candidates, none when the space or the budget given at the start is used up."""
        return list(self._context.generate_measure_candidates() or [])

    def record(self, candidate: ms.MeasureCandidate, outcome: Outcome) -> list[Any]:
        """Show one outcome to the search and return its record as MetaSchedule's JSON.

        Only TVM's own file writer can spell out layout transformations, hence the way over a file.
        """
        seconds = FAILED_SECONDS if outcome.seconds is None else outcome.seconds
        record = ms.database.TuningRecord(
            candidate.sch.trace, self._workload, [seconds], self._target, candidate.args_info
        )
        self._database.commit_tuning_record(record)
        [(_, document)] = self._lines.read_new()
        return list(document)

    def learn(self, candidates: list[ms.MeasureCandidate], outcomes: list[Outcome]) -> None:
        """Take in a whole batch from ``propose``, in its order."""
        results = [_runner_result(outcome) for outcome in outcomes]
        self._model.update(self._context, candidates, results)
        self._context.notify_runner_results(candidates, results)

    def _remember(self, known: list[Trial]) -> None:
        records = [ms.database.TuningRecord.from_json(trial.record, self._workload) for trial in known]
        for record in records:
            self._database.commit_tuning_record(record)
        self._lines.read_new()
        candidates = [record.as_measure_candidate() for record in records]
        outcomes = [Outcome(trial.seconds, trial.reason) for trial in known]
        self._model.update(self._context, candidates, [_runner_result(outcome) for outcome in outcomes])


def _runner_result(outcome: Outcome) -> ms.runner.RunnerResult:
    if outcome.seconds is None:
        return ms.runner.RunnerResult(None, outcome.reason)
    return ms.runner.RunnerResult([outcome.seconds], None)
