"""A search replayed from its records: what a build would have used after every trial."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Timed = Sequence[float | None]
"""Seconds of one kernel's trials in the order they were made, ``None`` for a failed one."""


@dataclass(frozen=True)
class Improvement:
    """After ``trial`` trials in all, the record number ``record`` became the best of ``kernel``."""

    trial: int
    kernel: str
    record: int


def improvements(records: Sequence[tuple[str, float | None]]) -> list[Improvement]:
    """Return when kernels got better; ``records`` are kernel and seconds (``None``: failed) in the order made."""
    best: dict[str, float] = {}
    found = []
    for index, (kernel, seconds) in enumerate(records):
        if seconds is not None and seconds < best.get(kernel, float("inf")):
            best[kernel] = seconds
            found.append(Improvement(index + 1, kernel, index))
    return found


def curve(
    improved: Sequence[Improvement],
    retimed: Mapping[int, float],
    start: Mapping[str, float],
    calls: Mapping[str, int],
) -> list[tuple[int, float]]:
    """Return ``(trials, seconds per inference)``: at 0 trials, and wherever a kernel's schedule changes.

    ``retimed`` are the seconds of the records that improved something, ``start`` of the kernels without a record, both
    from one run on one runner. A schedule that the search held for better but that is not, stays: a build would use it.
    """
    used = dict(start)
    points = [(0, _total(used, calls))]
    for step in improved:
        used[step.kernel] = retimed[step.record]
        points.append((step.trial, _total(used, calls)))
    return points


def _total(seconds: Mapping[str, float], calls: Mapping[str, int]) -> float:
    return sum(count * seconds[kernel] for kernel, count in calls.items())


def first_at_most(timed: Timed, seconds: float) -> int | None:
    """Return the number of the first trial, from 1, that took at most ``seconds``, ``None`` if none did."""
    numbers = (number for number, took in enumerate(timed, start=1) if took is not None and took <= seconds)
    return next(numbers, None)


def trials_to_reach(points: Sequence[tuple[int, float]], seconds: float) -> int | None:
    """Return after how many trials the curve is at or below ``seconds`` for good, ``None`` if never."""
    reached: int | None = None
    for trials, value in points:
        if value > seconds:
            reached = None
        elif reached is None:
            reached = trials
    return reached
