"""Which way of building is kept: the default one, unless another is surely faster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from edgeprune.measuring.statistics import Interval, ratio_interval

FEWEST_ROUNDS = 5
"""Rounds in which both took a turn, below which nothing can be said of measured times."""
# A choice that was so much slower in each of them needs no further one.
_HOPELESS = 1.1

Rounds = Mapping[str, float]
"""Time of one inference by round, in one unit for all. Estimates have a round for each end of the model's range."""


@dataclass(frozen=True)
class Row:
    """One choice in the comparison: its time, and the ratio of that time to the baseline's (below 1: faster).

    ``time`` is the median over its rounds. Without a time, ``note`` says why there is none.
    """

    name: str
    time: float | None
    ratio: float | None
    interval: Interval | None
    rounds: int
    note: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return JSON-able values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Row:
        """Return the row that ``as_dict`` described."""
        interval = data["interval"]
        return cls(**(data | {"interval": None if interval is None else Interval(**interval)}))


def decide(
    names: Sequence[str], taken: Mapping[str, Rounds], provenance: Literal["measured", "estimated"]
) -> tuple[str, tuple[Row, ...]]:
    """Return the name of the choice to keep, and a row for each that took a turn; the first name is the baseline.

    Choices are held against the one kept so far in the order of ``names``; one takes its place only where the interval
    of their ratio lies below 1. Of measured times that is the bootstrap interval of the median over the rounds, of
    estimates the range of the ratio over the ends of the model's range.
    """
    kept = names[0]
    for name in names[1:]:
        if name not in taken:
            continue
        ratio = _ratio(taken[name], taken[kept], provenance)
        if ratio is not None and ratio[1].high < 1:
            kept = name
    return kept, tuple(_row(name, taken, names[0], provenance) for name in names if name in taken)


def is_hopeless(rounds: Rounds, others: Mapping[str, Rounds]) -> bool:
    """Return whether a choice was clearly slower than one and the same other in all of enough rounds."""
    return any(
        len(common := rounds.keys() & other.keys()) >= FEWEST_ROUNDS
        and all(rounds[number] > _HOPELESS * other[number] for number in common)
        for other in others.values()
    )


def _ratio(first: Rounds, second: Rounds, provenance: str) -> tuple[float, Interval] | None:
    common = sorted(first.keys() & second.keys())
    if not common or (provenance == "measured" and len(common) < FEWEST_ROUNDS):
        return None
    ratios = np.array([first[number] / second[number] for number in common])
    if provenance == "measured":
        return float(np.median(ratios)), ratio_interval(ratios, seed=0)
    return float(np.median(ratios)), Interval(float(ratios.min()), float(ratios.max()), 1.0)


def _row(name: str, taken: Mapping[str, Rounds], baseline: str, provenance: str) -> Row:
    found = _ratio(taken[name], taken[baseline], provenance) if name != baseline else None
    ratio, interval = found or (None, None)
    return Row(name, float(np.median(list(taken[name].values()))), ratio, interval, len(taken[name]))
