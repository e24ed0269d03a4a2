"""What a reader must know before trusting a latency."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeprune.measuring.statistics import Latency, drift

_NOISE_LIMIT = 0.05
_DRIFT_LIMIT = 0.05
_DRIFT_NEEDS = 40
_FREQUENCY_DROP = 0.10
_FIXED_GOVERNORS = frozenset({"performance", "userspace"})
# Raspberry Pi firmware: bits 0-3 say what limits the clock now, bits 16-19 what has since boot.
_RASPBERRY_NOW, _RASPBERRY_SINCE_BOOT = 0x0000F, 0xF0000


@dataclass(frozen=True)
class Verdict:
    """A judgement on a measurement: its ``name`` ("noisy", "throttled", ...) and the figures behind it."""

    name: str
    detail: str


def judge(
    samples_ns: NDArray[np.int64], latency: Latency, environment: Mapping[str, Any], clock: Mapping[str, Any]
) -> tuple[Verdict, ...]:
    """Return every verdict that applies; none means that nothing speaks against the figures.

    ``environment`` and ``clock`` are what the benchmark executable printed.
    """
    before, after = environment["before"], environment["after"]
    return (
        *_judge_samples(samples_ns, latency, clock),
        *_judge_governor(before),
        *_judge_throttling(before, after),
        *_judge_load(before, after),
    )


def parse_cpu_list(text: str | None) -> frozenset[int]:
    """Read the kernel's list of cores, such as ``0-2,5``; nothing for ``None``."""
    cores: set[int] = set()
    for part in (text or "").split(","):
        if part.strip():
            first, _, last = part.strip().partition("-")
            cores.update(range(int(first), int(last or first) + 1))
    return frozenset(cores)


def _judge_samples(samples_ns: NDArray[np.int64], latency: Latency, clock: Mapping[str, Any]) -> Iterator[Verdict]:
    width = latency.p50_interval.high - latency.p50_interval.low
    if width > _NOISE_LIMIT * latency.p50:
        share = f"{100 * width / latency.p50:.1f} % of it" if latency.p50 > 0 else "and the median is 0"
        yield Verdict("noisy", f"the 95 % interval of the median is {width:.0f} ns wide, {share}")
    if len(samples_ns) >= _DRIFT_NEEDS:
        found = drift(samples_ns)
        if found.certain and abs(found.change) > _DRIFT_LIMIT:
            yield Verdict("drift", f"the last quarter's median is {100 * found.change:+.1f} % off the first quarter's")
    if clock["backwards"]:
        yield Verdict("clock went backwards", f"{clock['backwards']} times; those samples are recorded as 0")


def _judge_governor(before: Mapping[str, Any]) -> Iterator[Verdict]:
    governors = {core["governor"] for core in _allowed_cores(before)}
    known = sorted(governors - {None} - _FIXED_GOVERNORS)
    if known:
        yield Verdict("governor not fixed", f"{', '.join(known)}: the clock may have changed during the run")
    elif not governors or None in governors:
        yield Verdict("governor unknown", "this machine does not say how its clock is governed")


def _judge_throttling(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Verdict]:
    counts = [sum(core["throttle_count"] or 0 for core in moment["cores"] or ()) for moment in (before, after)]
    if counts[1] > counts[0]:
        yield Verdict("throttled", f"the cores' throttle counters rose by {counts[1] - counts[0]}")
    firmware = [_firmware_bits(moment["raspberry_throttled"]) for moment in (before, after)]
    if firmware[1] & _RASPBERRY_NOW or firmware[1] & ~firmware[0] & _RASPBERRY_SINCE_BOOT:
        yield Verdict("throttled", f"the firmware reports {firmware[1]:#x} (get_throttled)")
    fastest = [max((core["frequency_khz"] or 0 for core in _allowed_cores(m)), default=0) for m in (before, after)]
    if fastest[1] < (1 - _FREQUENCY_DROP) * fastest[0]:
        yield Verdict("throttled", f"the clock fell from {fastest[0] // 1000} to {fastest[1] // 1000} MHz")


def _judge_load(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Verdict]:
    """The kernel's count of runnable tasks includes the benchmark itself."""
    cores = len(parse_cpu_list(before["affinity"]) or parse_cpu_list(before["online"]))
    running = max(_running_tasks(before["loadavg"]), _running_tasks(after["loadavg"]))
    if cores and running > cores:
        yield Verdict("busy", f"{running} tasks wanted to run on {cores} cores")


def _allowed_cores(moment: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    allowed = parse_cpu_list(moment["affinity"])
    return [core for core in moment["cores"] or () if not allowed or core["core"] in allowed]


def _firmware_bits(text: str | None) -> int:
    """Read the firmware's hexadecimal flags, ``50005`` or ``throttled=0x50005``; 0 where there is no such firmware."""
    return int(text.partition("=")[2] or text, 16) if text else 0


def _running_tasks(loadavg: str | None) -> int:
    """Read the runnable tasks of ``0.20 0.18 0.12 2/80 11206``: 2."""
    return int(loadavg.split()[3].partition("/")[0]) if loadavg else 0
