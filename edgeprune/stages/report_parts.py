"""Pieces that every part of the report is gathered with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgeprune.reporting import Figure, Parity


def read_json(path: Path) -> Any:
    """Return the content of a stage's JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def parity(entry: dict[str, Any]) -> Parity:
    """Return one border's comparison; a failed one stops the run, so that every row here passed."""
    return Parity(
        border=entry["border"],
        relative_error=Figure.computed(entry["relative_error"], "1"),
        tolerance=entry["tolerance"],
        passed=entry["relative_error"] <= entry["tolerance"],
    )


def absent_reason(entry: Mapping[str, str]) -> str:
    """Return why something is not there and what mends it."""
    return f"{entry['reason']}; {entry['mend']}"
