"""A schedule with its choices left open, and the choices that fill them in."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import tvm
from tvm.s_tir import Schedule, ScheduleError
from tvm.s_tir import meta_schedule as ms
from tvm.s_tir.schedule import Instruction, Trace
from tvm.s_tir.schedule.trace import DECISION_TYPE

# One choice: the factors of a loop, the index of a candidate, or a position to compute at.
Decision = tuple[int, ...] | int
TILE, CATEGORY = "SamplePerfectTile", "SampleCategorical"
_POSTPROCESSING = "EnterPostproc"
# Widths of vectors differ from CPU to CPU and from one number of channels to another.
_WIDTH = re.compile(r"None, \d+")


@dataclass(frozen=True)
class Point:
    """One schedule: the number of its design, and its choices in the design's order."""

    design: int
    decisions: tuple[Decision, ...]


class Design:
    """The instructions of a schedule, without its choices and without post-processing.

    ``text`` is equal for designs of equal instructions, ``family`` also for those that differ in vector widths only;
    ``example`` are the choices of the schedule it was made from.
    """

    def __init__(self, trace: Trace) -> None:
        instructions = _before_postprocessing(trace)
        self.samples: list[Instruction] = [step for step in instructions if step.kind.name.startswith("Sample")]
        self._open = Trace(instructions, {})
        self.text = "\n".join(self._open.as_python())
        self.family = _WIDTH.sub("None, W", self.text)
        self.example = self.decisions(trace)

    def decisions(self, trace: Trace) -> tuple[Decision, ...]:
        """Return the choices that ``trace``, of an equal design, makes."""
        made = [_plain(trace.decisions[step]) for step in _before_postprocessing(trace) if step in trace.decisions]
        assert len(made) == len(self.samples)
        return tuple(made)

    def sample(self, module: tvm.IRModule, seed: int) -> Schedule | None:
        """Return the kernel scheduled with random choices, ``None`` where they contradict each other."""
        return _apply(self._open, Schedule(module, seed=seed))

    def apply(self, module: tvm.IRModule, decisions: Sequence[Decision]) -> Schedule | None:
        """Return the kernel scheduled with these choices, ``None`` where they do not fit it."""
        made: dict[Instruction, DECISION_TYPE] = {
            step: list(value) if isinstance(value, tuple) else value
            for step, value in zip(self.samples, decisions, strict=True)
        }
        return _apply(Trace(list(self._open.insts), made), Schedule(module))


def candidate_of(schedule: Schedule, postprocs: Sequence[ms.Postproc]) -> ms.MeasureCandidate | None:
    """Return ``schedule``, post-processed in place, as a candidate, ``None`` where a post-processor refuses it."""
    # What reads a record replays what comes before this mark, and post-processes anew.
    schedule.enter_postproc()
    if not all(postproc.apply(schedule) for postproc in postprocs):
        return None
    arguments = ms.arg_info.ArgInfo.from_entry_func(schedule.mod, remove_preproc=True)
    return ms.search_strategy.MeasureCandidate(schedule, arguments)


def fitted(decisions: Sequence[Decision], extents: Sequence[Decision]) -> tuple[Decision, ...]:
    """Return ``decisions`` made for other extents, with every factor but the first lowered to one that divides.

    ``extents`` are any choices of the design that they are to fit, for the products of their factors.
    """
    return tuple(
        _fitted(made, prod(own)) if isinstance(own, tuple) and isinstance(made, tuple) else made
        for made, own in zip(decisions, extents, strict=True)
    )


def _fitted(factors: tuple[int, ...], extent: int) -> tuple[int, ...]:
    found: list[int] = []
    for factor in reversed(factors[1:]):
        inner = next(smaller for smaller in range(min(factor, extent), 0, -1) if extent % smaller == 0)
        found.insert(0, inner)
        extent //= inner
    return (extent, *found)


def _apply(trace: Trace, schedule: Schedule) -> Schedule | None:
    try:
        trace.apply_to_schedule(schedule, remove_postproc=True)
    except (ScheduleError, tvm.error.InternalError, ValueError, IndexError):
        return None
    return schedule


def _before_postprocessing(trace: Trace) -> list[Instruction]:
    instructions: list[Instruction] = []
    for step in trace.insts:
        if step.kind.name == _POSTPROCESSING:
            break
        instructions.append(step)
    return instructions


def _plain(decision: DECISION_TYPE) -> Decision:
    return int(decision) if isinstance(decision, int) or hasattr(decision, "value") else tuple(map(int, decision))
