"""What an inference achieves against what its board could do at most.

The roofline model (Williams, Waterman and Patterson, Communications of the ACM 52, 2009): a step of F operations that
must move B bytes takes at least max(F / peak, B / bandwidth).
"""

from __future__ import annotations

from dataclasses import dataclass

from edgeprune.measuring.board_verdicts import parse_cpu_list
from edgeprune.measuring.profile import ProfiledStep
from edgeprune.target import Core, Target


@dataclass(frozen=True)
class Peak:
    """The most a board can do with the threads used: FLOP per second, bytes per second, each with its origin.

    ``None`` where the target does not say, and then ``absent`` says which of its keys is missing.
    """

    flop_per_s: float | None
    bytes_per_s: float | None
    origin: str
    absent: str | None


@dataclass(frozen=True)
class Achieved:
    """What was achieved, per second, and as fractions of the peaks (``None`` without a peak).

    ``bound`` is the fraction of the roofline: the least time the peaks allow over the time taken. It can exceed 1
    where the data stays in caches, which the bandwidth of the memory says nothing of. ``limit`` names what the least
    time comes from: "compute" or "memory".
    """

    name: str
    nodes: tuple[str, ...]
    flop: int
    bytes: int
    nanoseconds: float
    flop_per_s: float | None
    bytes_per_s: float | None
    flop_fraction: float | None
    bytes_fraction: float | None
    bound: float | None
    limit: str | None


@dataclass(frozen=True)
class Roofline:
    """The whole inference, by its median latency, and every step, by its median in the profile."""

    peak: Peak
    total: Achieved
    steps: tuple[Achieved, ...]


@dataclass(frozen=True)
class Placement:
    """Where a run took place: its ``threads``, the list of cores it was ``allowed``, the ``affinity`` asked for."""

    threads: int
    allowed: str | None
    affinity: str | None = None


def roofline(
    steps: tuple[ProfiledStep, ...], whole_ns: float, target: Target, precision: str, placed: Placement
) -> Roofline | None:
    """Return the roofline of a profiled run whose median latency is ``whole_ns``; ``None`` without a profile."""
    if not steps:
        return None
    peak = board_peak(target, precision, placed)
    flop, moved = sum(step.flop for step in steps), sum(step.bytes for step in steps)
    return Roofline(
        peak,
        _achieved("total", (), flop, moved, whole_ns, peak),
        tuple(_achieved(step.kernel, step.nodes, step.flop, step.bytes, step.p50, peak) for step in steps),
    )


def board_peak(target: Target, precision: str, placed: Placement) -> Peak:
    """Return the board's peaks for a run.

    A target lists its clusters from the one code is generated for, with no numbers of cores. So a run is held against
    the first cluster, and one that asked for the little cores against the last.
    """
    core = target.cores[-1] if placed.affinity == "little" else target.cores[0]
    flop = _flop_per_s(core, precision)
    bandwidth = target.bandwidth_gb_s * 1e9 if target.bandwidth_gb_s is not None else None
    used = max(1, min(placed.threads, core.count, len(parse_cpu_list(placed.allowed)) or placed.threads))
    missing = [
        name
        for name, value in (
            ("cores.flop_per_cycle", core.flop_per_cycle),
            ("cores.max_mhz", core.max_mhz),
            ("bandwidth_gb_s", bandwidth),
        )
        if value is None
    ]
    return Peak(
        flop_per_s=used * flop if flop is not None else None,
        bytes_per_s=bandwidth,
        origin=f"{used} x {core.kind} of target {target.name}",
        absent=f"target {target.name} does not give {', '.join(missing)}" if missing else None,
    )


def _flop_per_s(core: Core, precision: str) -> float | None:
    if core.flop_per_cycle is None or core.max_mhz is None:
        return None
    # A register holds twice as many half-precision values, and the cores that compute in it do so at full width.
    width = 2 if precision == "float16" else 1
    return float(width * core.flop_per_cycle * core.max_mhz * 1e6)


def _achieved(name: str, nodes: tuple[str, ...], flop: int, moved: int, taken_ns: float, peak: Peak) -> Achieved:
    seconds = taken_ns / 1e9
    flop_rate, byte_rate = (amount / seconds if seconds > 0 else None for amount in (flop, moved))
    least = {
        "compute": flop / peak.flop_per_s if peak.flop_per_s is not None else None,
        "memory": moved / peak.bytes_per_s if peak.bytes_per_s is not None else None,
    }
    known = {limit: time for limit, time in least.items() if time is not None}
    limit = max(known, key=lambda name: known[name]) if known and seconds > 0 else None
    return Achieved(
        name=name,
        nodes=nodes,
        flop=flop,
        bytes=moved,
        nanoseconds=taken_ns,
        flop_per_s=flop_rate,
        bytes_per_s=byte_rate,
        flop_fraction=_fraction(flop_rate, peak.flop_per_s),
        bytes_fraction=_fraction(byte_rate, peak.bytes_per_s),
        bound=known[limit] / seconds if limit is not None else None,
        limit=limit,
    )


def _fraction(rate: float | None, peak: float | None) -> float | None:
    return rate / peak if rate is not None and peak is not None else None
