"""The result of measuring one artifact on one board."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from edgeprune.emulation import CyclesEstimate, InstructionCount, Unavailable
from edgeprune.measuring.bench_run import Check
from edgeprune.measuring.board_core import BoardCore
from edgeprune.measuring.profile import ProfiledStep
from edgeprune.measuring.roofline import Roofline
from edgeprune.measuring.statistics import Latency
from edgeprune.measuring.verdicts import Verdict

FORMAT = 2


@dataclass(frozen=True)
class EmulatorUsed:
    """The emulator under which an artifact ran, and the CPU it enforced."""

    program: str
    version: str
    cpu: str


@dataclass(frozen=True)
class EstimatedTime:
    """What the estimated cycles take at a clock of ``mhz``, in milliseconds: an estimate as they are."""

    value: float
    low: float
    high: float
    mhz: int
    provenance: Literal["estimated"] = "estimated"


@dataclass(frozen=True)
class EstimatedCycles:
    """Cycles of one inference by the model of a core, with the range of its uncertain numbers; never a measurement.

    ``milliseconds`` is present where the target says the core's clock. ``found`` counts memory accesses by the place of
    their data, nearest cache first, memory last. ``assumed_caches`` are those whose size the target does not say.
    """

    value: int
    low: int
    high: int
    model: str
    cpu: str
    mispredicted: int
    found: tuple[int, ...]
    milliseconds: EstimatedTime | None
    assumed_caches: tuple[str, ...]
    provenance: Literal["estimated"] = "estimated"

    @staticmethod
    def on(board: BoardCore, cycles: CyclesEstimate) -> EstimatedCycles:
        """Return the estimate with its time on ``board``."""
        mhz = board.max_mhz
        time = EstimatedTime(*cycles.milliseconds(mhz), mhz) if mhz is not None else None
        return EstimatedCycles(**vars(cycles), milliseconds=time, assumed_caches=board.assumed)


@dataclass(frozen=True)
class Measurement:
    """An artifact that ran on a board and passed its golden check there.

    ``provenance`` "measured": the board's own CPU ran it, and ``latency`` with the raw ``samples_ns`` (in order) and
    the ``verdicts`` on them are present. "emulated": no latency, but ``instructions`` of one inference, or the reason
    for their absence in ``instructions_absent``, and beside them ``cycles_estimated`` or ``cycles_absent``.
    ``transport`` is the way to the board, ``board`` its address, behind a tracker with the server's.
    ``environment`` is what a real board said of itself before and after;
    ``protocol`` is how long it was asked to run, and ``cold_bytes``, ``cores_used`` and ``cooldown`` are as in
    `BenchRun`. ``profile`` has the network's steps in order, each with its median, and ``roofline`` what they achieved.
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
    cycles_estimated: EstimatedCycles | None = None
    cycles_absent: Unavailable | None = None
    emulator: EmulatorUsed | None = None
    threads: int = 1
    protocol: Mapping[str, Any] | None = None
    board: str | None = None
    cores_used: str | None = None
    cold_bytes: int | None = None
    cooldown: Mapping[str, Any] | None = None
    profile: tuple[ProfiledStep, ...] = ()
    roofline: Roofline | None = None

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
