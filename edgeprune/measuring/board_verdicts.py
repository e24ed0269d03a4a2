"""Verdicts on the state of the board before and after a run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

Moment = Mapping[str, Any]

_FREQUENCY_DROP = 0.10
_FIXED_GOVERNORS = frozenset({"performance", "userspace"})
# Raspberry Pi firmware: bits 0-3 say what limits the clock now, bits 16-19 what has since boot.
_RASPBERRY_NOW, _RASPBERRY_SINCE_BOOT = 0x0000F, 0xF0000
_COUNTERS = ("throttle_count", "package_throttle_count")


def board_verdicts(
    environment: Mapping[str, Any], cores_used: str | None, cooldown: Mapping[str, Any] | None
) -> Iterator[tuple[str, str]]:
    """Yield name and detail of every verdict on the board; the arguments are what the executable printed."""
    before, after = environment["before"], environment["after"]
    yield from _governor(before)
    yield from _throttling(before, after)
    yield from _clocks(after)
    yield from _mixed_cores(before, cores_used)
    yield from _load(before, after)
    if cooldown is not None and not cooldown["reached"]:
        wanted, waited = cooldown["until_millidegrees"] / 1000, cooldown["waited_ns"] / 1e9
        yield "not cooled down", f"the board was still above {wanted:g} degrees after {waited:.0f} s"


def parse_cpu_list(text: str | None) -> frozenset[int]:
    """Read the kernel's list of cores, such as ``0-2,5``; nothing for ``None``."""
    cores: set[int] = set()
    for part in (text or "").split(","):
        if part.strip():
            first, _, last = part.strip().partition("-")
            cores.update(range(int(first), int(last or first) + 1))
    return frozenset(cores)


def _governor(before: Moment) -> Iterator[tuple[str, str]]:
    governors = {core["governor"] for core in _allowed_cores(before)}
    known = sorted(governors - {None} - _FIXED_GOVERNORS)
    if known:
        yield "governor not fixed", f"{', '.join(known)}: the clock may have changed during the run"
    elif not governors or None in governors:
        yield "governor unknown", "this machine does not say how its clock is governed"


def _throttling(before: Moment, after: Moment) -> Iterator[tuple[str, str]]:
    counts = [_sum(_cores(moment), _COUNTERS) for moment in (before, after)]
    if counts[1] > counts[0]:
        yield "throttled", f"the cores' throttle counters rose by {counts[1] - counts[0]}"
    firmware = [_firmware_bits(moment["raspberry_throttled"]) for moment in (before, after)]
    if firmware[1] & _RASPBERRY_NOW or firmware[1] & ~firmware[0] & _RASPBERRY_SINCE_BOOT:
        yield "throttled", f"the firmware reports {firmware[1]:#x} (get_throttled)"
    coolers = sorted({cooler["type"] or "?" for cooler in _risen_coolers(before, after)})
    if coolers:
        yield "throttled", f"cooling devices limited the clock more at the end: {', '.join(coolers)}"
    fastest = [max((core["frequency_khz"] or 0 for core in _allowed_cores(m)), default=0) for m in (before, after)]
    if fastest[1] < (1 - _FREQUENCY_DROP) * fastest[0]:
        yield "throttled", f"the clock fell from {fastest[0] // 1000} to {fastest[1] // 1000} MHz"


def _risen_coolers(before: Moment, after: Moment) -> Iterator[Mapping[str, Any]]:
    """Yield the cooling devices of processors whose state rose; fans and radios cool too, but take nothing away."""
    for one, other in zip(before["cooling_devices"] or (), after["cooling_devices"] or (), strict=False):
        limits_a_core = any(word in (other["type"] or "").lower() for word in ("cpu", "processor", "thermal-"))
        if limits_a_core and (other["state"] or 0) > (one["state"] or 0):
            yield other


def _clocks(after: Moment) -> Iterator[tuple[str, str]]:
    """A core that is held below its highest clock is slower than the board can be, if steadily so."""
    held = [
        core
        for core in _allowed_cores(after)
        if core["maximum_khz"] and core["hardware_maximum_khz"] and core["maximum_khz"] < core["hardware_maximum_khz"]
    ]
    if held:
        limits = f"{held[0]['maximum_khz'] // 1000} of {held[0]['hardware_maximum_khz'] // 1000} MHz"
        yield "clock limited", f"core {held[0]['core']} may run at {limits}"


def _mixed_cores(before: Moment, cores_used: str | None) -> Iterator[tuple[str, str]]:
    used = parse_cpu_list(cores_used)
    speeds = {core["capacity"] or core["hardware_maximum_khz"] for core in _cores(before) if core["core"] in used}
    if len(speeds - {None}) > 1:
        yield "unequal cores", f"the run moved between fast and slow cores ({cores_used}); bind it with --affinity"


def _load(before: Moment, after: Moment) -> Iterator[tuple[str, str]]:
    """The kernel's count of runnable tasks includes the benchmark itself."""
    cores = len(parse_cpu_list(before["affinity"]) or parse_cpu_list(before["online"]))
    running = max(_running_tasks(before["loadavg"]), _running_tasks(after["loadavg"]))
    if cores and running > cores:
        yield "busy", f"{running} tasks wanted to run on {cores} cores"


def _cores(moment: Moment) -> list[Mapping[str, Any]]:
    return list(moment["cores"] or ())


def _allowed_cores(moment: Moment) -> list[Mapping[str, Any]]:
    allowed = parse_cpu_list(moment["affinity"])
    return [core for core in _cores(moment) if not allowed or core["core"] in allowed]


def _sum(cores: Iterable[Mapping[str, Any]], keys: Iterable[str]) -> int:
    return sum(core[key] or 0 for core in cores for key in keys)


def _firmware_bits(text: str | None) -> int:
    """Read the firmware's hexadecimal flags, ``50005`` or ``throttled=0x50005``; 0 where there is no such firmware."""
    return int(text.partition("=")[2] or text, 16) if text else 0


def _running_tasks(loadavg: str | None) -> int:
    """Read the runnable tasks of ``0.20 0.18 0.12 2/80 11206``: 2."""
    return int(loadavg.split()[3].partition("/")[0]) if loadavg else 0
