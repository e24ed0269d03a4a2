"""From what `tune` compared to the report's table of ways to build."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgeprune.reporting import BuildChoice, Figure, Interval, Provenance
from edgeprune.reporting.figure import Unit

_BASELINE = "the baseline"
_TOO_FEW = "too few rounds for a ratio"


def build_choices(tuning: Mapping[str, Any]) -> tuple[BuildChoice, ...]:
    """Return a row per way to build, none where nothing was compared."""
    found = tuning.get("choices") or {}
    if "kept" not in found:
        return ()
    kept, kind, unit = found["kept"]["name"], found["provenance"], found["unit"]
    return tuple(
        _choice(row, kept, kind, unit, _BASELINE if number == 0 else row["note"] or _TOO_FEW)
        for number, row in enumerate(found["rows"])
    )


def _choice(row: Mapping[str, Any], kept: str, kind: Provenance, unit: Unit, reason: str) -> BuildChoice:
    interval = row["interval"]
    return BuildChoice(
        name=row["name"],
        time=_figure(row["time"], unit, kind, row["note"]),
        ratio=_figure(row["ratio"], "1", kind, reason),
        interval=None if interval is None else Interval(**interval),
        kept=row["name"] == kept,
    )


def _figure(value: float | None, unit: Unit, kind: Provenance, reason: str) -> Figure:
    return Figure.absent(reason, unit) if value is None else Figure(value=value, unit=unit, provenance=kind)
