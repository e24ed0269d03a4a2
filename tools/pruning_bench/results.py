"""The results file: one row per network, what makes a row stale, and the summary."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

STAGES = ("trace", "plan", "compact", "exact", "exact-double", "backward", "save", "export", "onnxruntime", "reload")
"""What a network goes through in this order; it is handled when it comes out at the end smaller than it went in.

The last one runs in a new process.
"""

Row = dict[str, Any]


def engine_hash(package: Path) -> str:
    """Return a hash of a package's Python files: rows made by another one are stale."""
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        digest.update(path.relative_to(package).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


@dataclass
class Results:
    """The rows by zoo and network, and what the run was asked for."""

    settings: dict[str, Any]
    rows: dict[str, dict[str, Row]] = field(default_factory=dict)

    @staticmethod
    def read(path: Path, settings: Mapping[str, Any]) -> Results:
        """Read what an earlier run left; rows of other settings (another amount) are not taken over."""
        found = Results(dict(settings))
        if path.exists():
            data = json.loads(path.read_text(encoding="utf-8"))
            if data["settings"].get("amount") == found.settings["amount"]:
                found.rows = data["rows"]
                found.settings = _joined(data["settings"], found.settings)
        return found

    def write(self, path: Path) -> None:
        """Write everything and its summary, whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(path.name + ".tmp")
        data = {"settings": self.settings, "summary": summary(self.rows), "rows": self.rows}
        temporary.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
        temporary.replace(path)

    def stale(self, zoo: str, name: str, side: str, version: str, only_failed: bool) -> bool:
        """Tell whether a network's side must run: it has no row, or one of another version (and failed)."""
        row = self.rows.get(zoo, {}).get(name, {}).get(side)
        if row is None:
            return True
        return row.get("version") != version and not (only_failed and row["handled"])

    def merge(self, other: Results) -> None:
        """Take over the rows of another file: parts of a zoo that ran side by side."""
        self.settings = _joined(other.settings, self.settings)
        for zoo, networks in other.rows.items():
            for name, sides in networks.items():
                for side, row in sides.items():
                    self.put(zoo, name, side, row)

    def put(self, zoo: str, name: str, side: str, row: Row) -> None:
        """Enter one side's row."""
        self.rows.setdefault(zoo, {}).setdefault(name, {})[side] = row


def _joined(earlier: Mapping[str, Any], later: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of two runs; what both have is the later's, tables are joined."""
    both = {**earlier, **later}
    for key, value in earlier.items():
        if isinstance(value, dict):
            both[key] = {**value, **later.get(key, {})}
    return both


def handled(row: Row) -> bool:
    """Tell whether our side of a row reached the end with something removed."""
    return row.get("stage") == STAGES[-1] and not row.get("failed") and not row.get("no_op")


def summary(rows: Mapping[str, Mapping[str, Row]]) -> dict[str, Any]:
    """Count, per zoo, what both sides handled, how far the rest came, and what was silently left whole."""
    return {zoo: _of_zoo(networks) for zoo, networks in sorted(rows.items())}


def _of_zoo(networks: Mapping[str, Row]) -> dict[str, Any]:
    ours = [row["ours"] for row in networks.values() if "ours" in row]
    peers = [row["peer"] for row in networks.values() if "peer" in row]
    reached = {stage: sum(_passed(row, stage) for row in ours) for stage in STAGES}
    errors = [row["error"] for row in ours if row.get("error") is not None]
    wrong = [row for row in peers if row["handled"] and (row.get("error") is None or row["error"] > 1e-5)]
    return {
        "total": len(ours),
        "handled": sum(row["handled"] for row in ours),
        "no_ops": sum(_silent(row) for row in ours),
        "reached": reached,
        "largest_error": max(errors, default=None),
        "largest_error64": max((row["error64"] for row in ours if row.get("error64") is not None), default=None),
        "failed": sorted(name for name, row in networks.items() if "ours" in row and not row["ours"]["handled"]),
        "peer_total": len(peers),
        "peer_handled": sum(row["handled"] for row in peers),
        "peer_no_ops": sum(_silent(row) for row in peers),
        "peer_handled_but_not_exact": len(wrong),
        "peer_failed": sorted(name for name, row in networks.items() if "peer" in row and not row["peer"]["handled"]),
    }


def _passed(row: Row, stage: str) -> bool:
    reached = row.get("stage")
    return reached in STAGES and STAGES.index(reached) >= STAGES.index(stage)


def _silent(row: Row) -> bool:
    """A network left whole without an error that says so."""
    return bool(row.get("no_op")) and not row.get("failed")
