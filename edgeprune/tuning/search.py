"""Proposing candidates for one kernel and learning from their outcomes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import tvm
from tvm.s_tir import Schedule
from tvm.s_tir import meta_schedule as ms
from tvm.s_tir.meta_schedule.utils import shash2hex

from edgeprune.lowering.register_tile import VectorUnit
from edgeprune.tuning.database import FAILED_SECONDS, Trial
from edgeprune.tuning.journal import Journal
from edgeprune.tuning.kernels import Kernel
from edgeprune.tuning.register_tile import extents_of, rank_tiles
from edgeprune.tuning.space import cpu_space, is_tiled, register_space, with_tile


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
        self._unit = VectorUnit.of(target)
        self._model = model
        scratch.mkdir()
        self._lines = Journal(scratch / "records.json")
        self._database = ms.database.JSONDatabase(str(scratch / "workloads.json"), str(self._lines.path))
        self._workload = self._database.commit_workload(kernel.module)
        self._module = kernel.module
        space = cpu_space()
        self._context = ms.TuneContext(
            mod=kernel.module,
            target=target,
            space_generator=space,
            # Small populations: a candidate's proposal must not cost more than its build and measurement.
            search_strategy=ms.search_strategy.EvolutionarySearch(
                population_size=4 * batch, init_min_unmeasured=2 * batch, genetic_num_iters=2, eps_greedy=0.15
            ),
            task_name=kernel.name,
            rand_state=seed % (2**31 - 1) + 1,
            num_threads=1,
        )
        self._postprocs = list(space.postprocs)
        seen = self._remember(known)
        tiled = self._register_designs(kernel)
        # The first half of a kernel's trials goes to the tiles that look best on paper, the rest to evolution.
        promising = islice(self._promising(tiled), (len(known) + trials + 1) // 2)
        self._seeds = [seed for seed in promising if _digest(seed) not in seen][:trials]
        self._batch = batch
        self._proposed_seeds = False
        designs = [*self._context.generate_design_space(), *tiled]
        self._context.pre_tuning(trials, batch, designs, self._database, model)

    def propose(self) -> list[ms.MeasureCandidate]:
        """Return the next candidates, none when the space or the budget given at the start is used up."""
        seeds, self._seeds = self._seeds[: self._batch], self._seeds[self._batch :]
        self._proposed_seeds = bool(seeds)
        if seeds:
            return seeds
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
        if not self._proposed_seeds:
            self._context.notify_runner_results(candidates, results)

    def _register_designs(self, kernel: Kernel) -> list[Schedule]:
        space = register_space(self._unit)
        context = ms.TuneContext(
            mod=kernel.module, target=self._target, space_generator=space, num_threads=1, rand_state=1
        )
        return [design for design in context.generate_design_space() if is_tiled(design)]

    def _promising(self, designs: list[Schedule]) -> Iterator[ms.MeasureCandidate]:
        extents = extents_of(Schedule(self._module), self._unit)
        if extents is None:
            return
        given: set[str] = set()
        for tile in rank_tiles(extents, self._unit):
            for design in designs:
                schedule = with_tile(self._module, design, tile)
                if not all(postproc.apply(schedule) for postproc in self._postprocs):
                    continue
                arguments = ms.arg_info.ArgInfo.from_entry_func(schedule.mod, remove_preproc=True)
                candidate = ms.search_strategy.MeasureCandidate(schedule, arguments)
                if _digest(candidate) not in given:
                    given.add(_digest(candidate))
                    yield candidate

    def _remember(self, known: list[Trial]) -> set[str]:
        """Take in trials of earlier runs and return the hashes of the schedules they tried."""
        records = [ms.database.TuningRecord.from_json(trial.record, self._workload) for trial in known]
        for record in records:
            self._database.commit_tuning_record(record)
        self._lines.read_new()
        candidates = [record.as_measure_candidate() for record in records]
        outcomes = [Outcome(trial.seconds, trial.reason) for trial in known]
        self._model.update(self._context, candidates, [_runner_result(outcome) for outcome in outcomes])
        return {_digest(candidate) for candidate in candidates}


def _digest(candidate: ms.MeasureCandidate) -> str:
    return str(shash2hex(candidate.sch.mod))


def _runner_result(outcome: Outcome) -> ms.runner.RunnerResult:
    if outcome.seconds is None:
        return ms.runner.RunnerResult(None, outcome.reason)
    return ms.runner.RunnerResult([outcome.seconds], None)
