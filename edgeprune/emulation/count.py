"""What the plugin wrote: exact counts of executed guest instructions."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from edgeprune.errors import StageFailure


@dataclass(frozen=True)
class InstructionCount:
    """Guest instructions of one emulated run.

    ``region`` counts those of the one bracketed inference, all threads together, and repeats exactly from run to run;
    it includes the few dozen of entering and leaving the bracket. ``total`` counts the whole program with start-up,
    golden check and output, and varies by what it prints.
    """

    region: int
    total: int
    threads: int

    def as_dict(self) -> dict[str, int]:
        """Return the fields as JSON-able values."""
        return asdict(self)


def read_count(path: Path) -> InstructionCount:
    """Read the plugin's output file.

    Raises:
        StageFailure: there is no such file, or the guest did not open and close its region exactly once.
    """
    try:
        written = json.loads(path.read_text())
    except (OSError, json.JSONDecodeError) as error:
        raise StageFailure(f"the QEMU plugin left no counts at {path}: {error}") from error
    region = written["region"]
    if (region["opened"], region["closed"]) != (1, 1):
        raise StageFailure(
            f"the guest opened its region {region['opened']} times and closed it {region['closed']} times, not once"
        )
    return InstructionCount(region["instructions"], written["instructions"], written["threads"])
