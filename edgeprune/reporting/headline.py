"""The few ratios, pruned against dense, that a run is judged by."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from edgeprune.reporting.device import TargetResult
from edgeprune.reporting.figure import Figure
from edgeprune.reporting.model import Report


@dataclass(frozen=True)
class Ratio:
    """One quantity before and after; ``ratio`` is pruned over dense. ``target`` is ``None`` for the network itself."""

    name: str
    target: str | None
    dense: Figure
    pruned: Figure
    ratio: Figure

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as JSON-able values."""
        return {
            "name": self.name,
            "target": self.target,
            "dense": self.dense.model_dump(mode="json"),
            "pruned": self.pruned.model_dump(mode="json"),
            "ratio": self.ratio.model_dump(mode="json"),
        }


def headline(report: Report) -> tuple[Ratio, ...]:
    """Return parameters and MACs of the network, then size, latency, instructions and cycles of every target."""
    network = [
        _ratio("parameters", None, report.dense.parameters, report.pruned.parameters),
        _ratio("MACs", None, report.dense.macs, report.pruned.macs),
    ]
    return (*network, *(ratio for target in report.targets for ratio in _of_target(target)))


def accuracy_change(report: Report) -> Figure:
    """Return pruned minus dense test accuracy in percentage points."""
    return difference(report.pruned.test.percent, report.dense.test.percent)


def over(numerator: Figure, denominator: Figure) -> Figure:
    """Return ``numerator / denominator``, absent where either is, or where they do not mean the same thing."""
    reason = _why_not_comparable(numerator, denominator)
    if reason is None and denominator.value == 0:
        reason = "the other side is 0"
    if reason is not None or numerator.value is None or denominator.value is None:
        return Figure.absent(reason or "", "1")
    return Figure(value=numerator.value / denominator.value, unit="1", provenance=numerator.provenance)


def difference(minuend: Figure, subtrahend: Figure) -> Figure:
    """Return ``minuend - subtrahend`` of two percentages in points, absent as in ``over``."""
    reason = _why_not_comparable(minuend, subtrahend)
    if reason is not None or minuend.value is None or subtrahend.value is None:
        return Figure.absent(reason or "", "points")
    points = round(minuend.value - subtrahend.value, 9)
    return Figure(value=points, unit="points", provenance=minuend.provenance)


def _why_not_comparable(first: Figure, second: Figure) -> str | None:
    for figure in (first, second):
        if figure.reason is not None:
            return figure.reason
    if first.unit != second.unit:
        return f"{first.unit} cannot be compared with {second.unit}"
    if first.provenance != second.provenance:
        return f"{first.provenance} cannot be compared with {second.provenance}"
    return None


def _of_target(target: TargetResult) -> Iterator[Ratio]:
    dense, pruned = target.variant("dense"), target.variant("pruned")
    if dense is None or pruned is None:
        return
    yield _ratio("executable size", target.name, dense.executable_bytes, pruned.executable_bytes)
    in_turns = target.latency_ratio
    ratio = in_turns.ratio if in_turns is not None else over(pruned.latency.p50, dense.latency.p50)
    yield Ratio("p50 latency", target.name, dense.latency.p50, pruned.latency.p50, ratio)
    yield _ratio("instructions", target.name, dense.instructions, pruned.instructions)
    yield _ratio("cycles", target.name, dense.estimated_cycles, pruned.estimated_cycles)


def _ratio(name: str, target: str | None, dense: Figure, pruned: Figure) -> Ratio:
    return Ratio(name, target, dense, pruned, over(pruned, dense))
