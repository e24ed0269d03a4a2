"""The comparisons of whole artifacts on one device, beside its tuning records: every turn, and what came out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeprune.tuning.choice import Choice
from edgeprune.tuning.decision import Row
from edgeprune.tuning.journal import Journal, locked

_FILE = "choices.jsonl"


@dataclass(frozen=True)
class Compared:
    """What comparing the ways to build one network gave.

    ``network`` is the content key of the ONNX file and of how it was to be lowered; ``records`` say of every kernel of
    every choice which record it had (its digest, "" for none): with others the comparison is void. ``provenance`` is
    what the times are, in ``unit``. The first row is the baseline, ``kept`` what is built.
    """

    network: str
    name: str
    records: Mapping[str, str]
    kept: Choice
    provenance: str
    unit: str
    rows: tuple[Row, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return JSON-able values."""
        rows = [row.as_dict() for row in self.rows]
        return {**vars(self), "records": dict(self.records), "kept": self.kept.as_dict(), "rows": rows}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Compared:
        """Return what ``as_dict`` described."""
        rows = tuple(Row.from_dict(row) for row in data["rows"])
        return cls(**{**data, "kept": Choice.from_dict(data["kept"]), "rows": rows})


class ChoiceLog:
    """The comparisons in the directory of a device's records; several processes may add to it at once."""

    def __init__(self, directory: Path) -> None:
        """Read what earlier runs left.

        Raises:
            UserError: the file is damaged.
        """
        self._directory = directory
        self._journal = Journal(directory / _FILE)
        self._compared: dict[str, Compared] = {}
        self._turns: dict[str, dict[str, dict[str, float]]] = {}
        with locked(directory):
            self._journal.drop_unfinished_tail()
            self._refresh()

    @property
    def all(self) -> tuple[Compared, ...]:
        """Return the last comparison of every network, in the order they were first made."""
        return tuple(self._compared.values())

    def compared(self, network: str) -> Compared | None:
        """Return the last comparison of this network, ``None`` if there was none."""
        return self._compared.get(network)

    def turns(self, comparison: str) -> dict[str, dict[str, float]]:
        """Return the times of a comparison by choice and round, as far as it got."""
        return {name: dict(rounds) for name, rounds in self._turns.get(comparison, {}).items()}

    def add_turns(self, comparison: str, times: Mapping[str, Mapping[str, float]]) -> None:
        """Keep times by choice and round, durably: all of a round at once, so that none is half of one day.

        Raises:
            StageFailure: the disk is full; what was kept before stays intact.
        """
        self._append({"comparison": comparison, "times": {name: dict(rounds) for name, rounds in times.items()}})

    def add(self, compared: Compared) -> None:
        """Keep what a comparison gave; it takes the place of an earlier one of the same network.

        Raises:
            StageFailure: the disk is full.
        """
        self._append({"compared": compared.as_dict()})

    def _append(self, document: dict[str, Any]) -> None:
        with locked(self._directory):
            self._journal.append(document)
            self._refresh()

    def _refresh(self) -> None:
        for entry in self._journal.read_new(_read):
            if isinstance(entry, Compared):
                self._compared[entry.network] = entry
            else:
                turns = self._turns.setdefault(entry.comparison, {})
                for name, rounds in entry.times.items():
                    turns.setdefault(name, {}).update(rounds)


@dataclass(frozen=True)
class _Turns:
    comparison: str
    times: dict[str, dict[str, float]]


def _read(document: Any) -> Compared | _Turns:
    if "compared" in document:
        return Compared.from_dict(document["compared"])
    times = {name: {at: float(time) for at, time in rounds.items()} for name, rounds in dict(document["times"]).items()}
    return _Turns(document["comparison"], times)
