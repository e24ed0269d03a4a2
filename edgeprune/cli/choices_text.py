"""What comparing the ways to build a network gave, for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def choices_text(found: Mapping[str, Any]) -> str:
    """Return a line per way to build, the one kept marked by a star, or why nothing was compared."""
    if "kept" not in found:
        return str(found["note"])
    kept = found["kept"]["name"]
    if not found["rows"]:
        return f"every way to build comes to the same artifact: {kept}"
    lines = [_line(row, kept, found["unit"], first=number == 0) for number, row in enumerate(found["rows"])]
    head = f"whole artifacts, one inference, {found['provenance']}; * is built, the first is the baseline"
    return "\n".join([head, *lines])


def _line(row: Mapping[str, Any], kept: str, unit: str, *, first: bool) -> str:
    name = f"{'*' if row['name'] == kept else ' '} {row['name']:<28}"
    if row["time"] is None:
        return f"{name} left out: {row['note']}"
    time = f"{row['time']:,.1f} us" if unit == "us" else f"{row['time']:,.0f} {unit}"
    if row["ratio"] is None:
        return f"{name} {time:>18}" + ("" if first else "  too few rounds for a ratio")
    interval = row["interval"]
    ratio = f"{row['ratio']:.3f} [{interval['low']:.3f}, {interval['high']:.3f}]"
    of = f"{row['rounds']} rounds" if unit == "us" else "in brackets over the model's range"
    return f"{name} {time:>18}  {ratio} of the baseline, {of}"
