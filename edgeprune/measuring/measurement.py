"""The result of measuring one artifact on one board."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from edgeprune.emulation import InstructionCount, Unavailable
from edgeprune.measuring.bench_run import Check
from edgeprune.measuring.statistics import Latency
from edgeprune.measuring.verdicts import Verdict

FORMAT = 1


@dataclass(frozen=True)
class EmulatorUsed:
    """The emulator under which an artifact ran, and the CPU it enforced."""

    program: str
    version: str
    cpu: str


@dataclass(frozen=True)
class Measurement:
    """An artifact that ran on a board and passed its golden check there.

    ``provenance`` "measured": the board's own CPU ran it, and ``latency`` with the raw ``samples_ns`` (in order) and
    the ``verdicts`` on them are present. "emulated": no latency, but ``instructions`` of one inference, or the reason
    for their absence in ``instructions_absent``. ``environment`` is what a real board said of itself before and after.
    """

    model: str
    variant: str
    target: str
    provenance: Literal["measured", "emulated"]
    transport: str
    check: Check
    warmup: int
    latency: Latency | None = None
    samples_ns: tuple[int, ...] | None = None
    verdicts: tuple[Verdict, ...] = ()
    clock: Mapping[str, Any] | None = None
    environment: Mapping[str, Any] | None = None
    instructions: InstructionCount | None = None
    instructions_absent: Unavailable | None = None
    emulator: EmulatorUsed | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the fields, nested, as JSON-able values."""
        return {"format": FORMAT, **asdict(self)}


@dataclass(frozen=True)
class NotRun:
    """An artifact that could not run because this machine lacks something: a result, not an error.

    ``absent`` says what is missing and how to mend it.
    """

    model: str
    variant: str
    target: str
    absent: Unavailable
    provenance: Literal["not run"] = "not run"

    def as_dict(self) -> dict[str, Any]:
        """Return the fields, nested, as JSON-able values."""
        return {"format": FORMAT, **asdict(self)}
