"""Proposing candidates for one kernel and learning from their outcomes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

import tvm
from tvm.s_tir import Schedule, ScheduleError
from tvm.s_tir import meta_schedule as ms
from tvm.s_tir.meta_schedule.utils import shash2hex

from edgeprune.errors import StageFailure, UserError
from edgeprune.lowering.register_tile import VectorUnit
from edgeprune.tuning.block_names import named_as_in
from edgeprune.tuning.database import FAILED_SECONDS, Trial
from edgeprune.tuning.design import Design, Point, candidate_of
from edgeprune.tuning.evolution import Evolution
from edgeprune.tuning.journal import Journal
from edgeprune.tuning.kernels import Kernel
from edgeprune.tuning.outcome import Outcome
from edgeprune.tuning.ranking import Ranking
from edgeprune.tuning.register_tile import extents_of, rank_tiles
from edgeprune.tuning.space import cpu_space, is_tiled, register_space, with_tile
from edgeprune.tuning.transfer import Start, nearest
from edgeprune.tuning.winograd_space import winograd_design

# What other kernels and CPUs found best is tried before anything else, a few schedules of it.
_STARTS = 4


@dataclass(frozen=True)
class Proposal:
    """A candidate, and which choices in which design it is."""

    candidate: ms.MeasureCandidate
    point: Point


class KernelSearch:
    """Search over one kernel's schedules, continued from the trials in the database.

    First come schedules that were best for kernels of a near shape or on a sibling CPU, then register tiles in the
    order an ideal core ranks them, then evolution from the best ones measured.
    """

    def __init__(
        self,
        kernel: Kernel,
        target: tvm.target.Target,
        model: Ranking,
        known: Sequence[Trial],
        starts: Sequence[Start],
        trials: int,
        seed: int,
        scratch: Path,
    ) -> None:
        """Prepare for ``trials`` more candidates; ``scratch`` is a folder to create, ``starts`` come from elsewhere."""
        self._kernel = kernel
        self._target = target
        self._unit = VectorUnit.of(target).holding(str(kernel.module["main"].params[0].dtype))
        self._model = model
        scratch.mkdir()
        self._lines = Journal(scratch / "records.json")
        self._database = ms.database.JSONDatabase(str(scratch / "workloads.json"), str(self._lines.path))
        self._workload = self._database.commit_workload(kernel.module)
        space = cpu_space()
        self._postprocs = list(space.postprocs)
        winograd = winograd_design(kernel.module, self._unit)
        general = self._designs_of(space) if winograd is None else [winograd]
        tiled = self._register_tiled() if winograd is None else []
        self._designs = [Design(design.trace) for design in (*tiled, *general)]
        self._given: set[str] = set()
        self._evolution = Evolution(kernel.module, self._designs, model, seed)
        for trial in known:
            self._remember(trial)
        # The first half of a kernel's trials goes to what looks best beforehand, the rest to evolution.
        half = (len(known) + trials + 1) // 2
        started = self._started(starts if not known else ())
        self._seeds = islice(chain(started, self._promising(tiled)), max(0, half - len(known)))

    def propose(self, count: int) -> list[Proposal]:
        """Return up to ``count`` further candidates, none when the space is used up."""
        found = list(islice(self._seeds, count))
        if len(found) < count:
            points = self._evolution.points()
            found += islice(filter(None, map(self._realised, points)), count - len(found))
        return found

    def record(self, proposal: Proposal, outcome: Outcome) -> list[Any]:
        """Return an outcome as MetaSchedule's JSON of a record.

        Only TVM's own file writer can spell out layout transformations, hence the way over a file.

        Raises:
            StageFailure: there is no space for it.
        """
        seconds = FAILED_SECONDS if outcome.seconds is None else outcome.seconds
        candidate = proposal.candidate
        record = ms.database.TuningRecord(
            candidate.sch.trace, self._workload, [seconds], self._target, candidate.args_info
        )
        self._database.commit_tuning_record(record)
        try:
            [(_, document)] = self._lines.read_new()
        except (UserError, ValueError):  # TVM does not say that it could not write
            raise StageFailure(f"{self._lines.path}: a record cannot be written") from None
        return list(document)

    def learn(self, proposal: Proposal, outcome: Outcome) -> None:
        """Take in one outcome."""
        self._learn(proposal.point, outcome.seconds)

    def _learn(self, point: Point, seconds: float | None) -> None:
        self._model.add(self._designs[point.design].family, self._kernel.workload, point.decisions, seconds)
        self._evolution.add(point, seconds)

    def _register_tiled(self) -> list[Schedule]:
        return [design for design in self._designs_of(register_space(self._unit)) if is_tiled(design)]

    def _designs_of(self, space: ms.space_generator.SpaceGenerator) -> list[Schedule]:
        context = ms.TuneContext(
            mod=self._kernel.module, target=self._target, space_generator=space, num_threads=1, rand_state=1
        )
        return list(context.generate_design_space())

    def _remember(self, trial: Trial) -> None:
        """Take in a trial of an earlier run; one of a space that has changed since makes a design of its own."""
        record = named_as_in(self._kernel.module, trial.record)
        try:
            trace = ms.database.TuningRecord.from_json(record, self._workload).trace
        except (ScheduleError, tvm.error.InternalError, ValueError):
            return  # it cannot be replayed, so that there is nothing to learn from it
        design = Design(trace)
        texts = [known.text for known in self._designs]
        if design.text not in texts:
            self._designs.append(design)
            texts.append(design.text)
        number = texts.index(design.text)
        self._learn(Point(number, self._designs[number].decisions(trace)), trial.seconds)

    def _started(self, starts: Sequence[Start]) -> Iterator[Proposal]:
        for point in islice(nearest(starts, self._kernel.workload, self._designs), _STARTS):
            proposal = self._realised(point)
            if proposal is not None:
                yield proposal

    def _promising(self, designs: list[Schedule]) -> Iterator[Proposal]:
        extents = extents_of(Schedule(self._kernel.module), self._unit)
        if extents is None:
            return
        for tile in rank_tiles(extents, self._unit):
            for number, design in enumerate(designs):
                schedule = with_tile(self._kernel.module, design, tile)
                proposal = self._realised(Point(number, self._designs[number].decisions(schedule.trace)))
                if proposal is not None:
                    yield proposal

    def _realised(self, point: Point) -> Proposal | None:
        """Return the candidate at ``point``, ``None`` if it was given before or does not fit the kernel."""
        if not self._evolution.is_new(point):
            return None
        self._evolution.mark(point)
        schedule = self._designs[point.design].apply(self._kernel.module, point.decisions)
        candidate = None if schedule is None else candidate_of(schedule, self._postprocs)
        if candidate is None:
            return None
        # Two ways to the same code are one candidate.
        code = str(shash2hex(candidate.sch.mod))
        if code in self._given:
            return None
        self._given.add(code)
        return Proposal(candidate, point)
