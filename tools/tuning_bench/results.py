"""The results file: a row per thing measured, and what makes a row stale."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tuning_bench.goals import Verdict

FORMAT = 1

Figures = dict[str, Any]


@dataclass(frozen=True)
class Row:
    """What one measurement of a ``part`` gave.

    ``code`` is a hash of what the figures depend on in this repository, ``settings`` are the budgets and repetitions
    asked for. ``machine``, ``versions`` and ``command`` say where, with what and how the figures were made.
    """

    part: str
    name: str
    code: str
    settings: Figures
    machine: Figures
    versions: dict[str, str]
    command: str
    figures: Figures
    verdicts: tuple[Verdict, ...]

    @property
    def key(self) -> str:
        """Return what the row is found by."""
        return f"{self.part}: {self.name}"

    def as_dict(self) -> dict[str, Any]:
        """Return the fields, nested, as JSON-able values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Row:
        """Return the row that ``as_dict`` described."""
        verdicts = tuple(Verdict(**verdict) for verdict in data["verdicts"])
        return cls(**{**data, "verdicts": verdicts})


class Results:
    """The rows of one file, which is written whole after every one, so that an interrupted run loses none."""

    def __init__(self, path: Path) -> None:
        """Read what an earlier run left in ``path``, if anything.

        Raises:
            SystemExit: the file is not one of this tool's.
        """
        self._path = path
        self._rows: dict[str, Row] = {}
        if path.exists():
            try:
                data = json.loads(path.read_text(encoding="utf-8"))
                if data["format"] != FORMAT:
                    raise ValueError(f"its format is {data['format']}, this tool writes {FORMAT}")
                rows = [Row.from_dict(row) for row in data["rows"]]
            except (ValueError, KeyError, TypeError) as error:
                raise SystemExit(f"--json: {path} is not a result of this tool ({error}); name another file") from None
            self._rows = {row.key: row for row in rows}

    @property
    def rows(self) -> Sequence[Row]:
        """Return all rows in the order they were first made."""
        return tuple(self._rows.values())

    def of(self, part: str) -> list[Row]:
        """Return one part's rows."""
        return [row for row in self._rows.values() if row.part == part]

    def has(self, part: str, name: str, code: str, settings: Figures) -> bool:
        """Tell whether a row is there that the same code and settings made."""
        row = self._rows.get(f"{part}: {name}")
        wanted = json.loads(json.dumps(settings))
        return row is not None and row.code == code and json.loads(json.dumps(row.settings)) == wanted

    def put(self, row: Row) -> None:
        """Enter a row in place of an earlier one, and write the file."""
        self._rows[row.key] = row
        self._path.parent.mkdir(parents=True, exist_ok=True)
        partial = self._path.with_name(self._path.name + ".partial")
        document = {"format": FORMAT, "tool": "bench_tuning", "rows": [row.as_dict() for row in self.rows]}
        partial.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
        partial.replace(self._path)
