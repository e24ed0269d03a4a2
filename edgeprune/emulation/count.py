"""What the plugin wrote: exact counts of executed guest instructions, and the cycles a core's model gives them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgeprune.emulation.core_table import Core
from edgeprune.emulation.unavailable import Unavailable
from edgeprune.errors import StageFailure

MIX_CLASSES = ("mac", "simd", "load", "store", "integer", "branch", "other")
"""The classes of the instruction mix: multiply-accumulates of the floating-point and vector unit, its other
instructions, loads and stores of any register, integer arithmetic, jumps, and the rest (system, prefetch, nop)."""


@dataclass(frozen=True)
class InstructionCount:
    """Guest instructions of one emulated run.

    ``region`` counts those of the one bracketed inference, all threads together, and ``mix`` the same by class
    (`MIX_CLASSES`); both repeat exactly from run to run. They include the few dozen of entering and leaving the
    bracket.
    ``total`` counts the whole program with start-up, golden check and output, and varies by what it prints.
    """

    region: int
    total: int
    threads: int
    mix: Mapping[str, int]

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as JSON-able values."""
        return asdict(self)


@dataclass(frozen=True)
class CyclesEstimate:
    """Cycles of the bracketed inference by a stated model of a core: an estimate, never a measurement.

    ``low`` and ``high`` are the model's answers with all its uncertain numbers at one end; ``model`` says what kind it
    is, ``cpu`` of which core. ``found`` counts the accesses by where their data lay, nearest cache first, memory last.
    """

    value: int
    low: int
    high: int
    model: str
    cpu: str
    mispredicted: int
    found: tuple[int, ...]

    def milliseconds(self, mhz: float) -> tuple[float, float, float]:
        """Return value, low and high as times at a clock of ``mhz``; estimates as well."""
        value, low, high = (cycles / mhz / 1000 for cycles in (self.value, self.low, self.high))
        return value, low, high


def read_count(path: Path) -> InstructionCount:
    """Read the counts from the plugin's output file.

    Raises:
        StageFailure: there is no such file, or the guest did not open and close its region exactly once.
    """
    written = _read(path)
    region = written["region"]
    return InstructionCount(region["instructions"], written["instructions"], written["threads"], region["mix"])


def read_cycles(path: Path, core: Core) -> CyclesEstimate | Unavailable:
    """Read the cycles from the plugin's output file, which it wrote with the table of ``core``.

    Raises:
        StageFailure: as for `read_count`.
    """
    return _cycles(_read(path)["region"], core)


def read_regions(path: Path, core: Core) -> list[CyclesEstimate | Unavailable]:
    """Read the cycles of every region that a program closed, in order, from the file of the plugin's ``each``.

    No file means no region: the program ended before.
    """
    lines = path.read_text().splitlines() if path.exists() else []
    return [_cycles(json.loads(line), core) for line in lines]


def _cycles(region: dict[str, Any], core: Core) -> CyclesEstimate | Unavailable:
    if "cycles" not in region:
        return Unavailable(
            f"{region['threads']} threads ran the inference, and the model follows one alone", "build for one thread"
        )
    nominal = region["cycles"][1]
    # Issuing later can let a pair form that was missed before, so that the ends may cross by a few cycles.
    low, high = min(region["cycles"]), max(region["cycles"])
    return CyclesEstimate(nominal, low, high, core.model, core.name, region["mispredicted"], tuple(region["found"]))


def _read(path: Path) -> dict[str, Any]:
    try:
        written: dict[str, Any] = json.loads(path.read_text())
    except (OSError, json.JSONDecodeError) as error:
        raise StageFailure(f"the QEMU plugin left no counts at {path}: {error}") from error
    region = written["region"]
    if (region["opened"], region["closed"]) != (1, 1):
        raise StageFailure(
            f"the guest opened its region {region['opened']} times and closed it {region['closed']} times, not once"
        )
    return written
