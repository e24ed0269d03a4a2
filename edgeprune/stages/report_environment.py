"""What a board said of itself before and after a run, in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import groupby
from typing import Any

from edgeprune.reporting import Circumstance, Fact

Moment = Mapping[str, Any]

_ABSENT = "absent"


def facts(measurement: Mapping[str, Any]) -> tuple[Fact, ...]:
    """Return what does not change during a run: board and protocol, or the emulator that stood in for a board."""
    emulator = measurement.get("emulator")
    if emulator is not None:
        return (Fact(name="emulator", value=f"{emulator['program']} {emulator['version']} -cpu {emulator['cpu']}"),)
    environment = measurement.get("environment")
    if environment is None:
        return ()
    kernel, cpu, clock = environment["uname"], environment["cpu"] or {}, measurement["clock"]
    rows = {
        "board": environment["board"],
        "kernel": f"{kernel['system']} {kernel['release']} ({kernel['machine']})" if kernel else None,
        "CPU": cpu.get("model") or cpu.get("hardware"),
        "CPU parts": _runs(cpu.get("parts") or []),
        "address": measurement.get("board") or measurement["transport"],
        "protocol": _protocol(measurement),
        "threads": str(measurement["threads"]),
        "cores the first thread was seen on": measurement["cores_used"],
        "caches": f"cold: {measurement['cold_bytes'] / 2**20:.0f} MiB written before every inference"
        if measurement["cold_bytes"]
        else "warm",
        "cooldown": _cooldown(measurement["cooldown"]),
        "reading the clock": f"{clock['overhead_ns']} ns",
    }
    return tuple(Fact(name=name, value=value or _ABSENT) for name, value in rows.items())


def circumstances(measurement: Mapping[str, Any]) -> tuple[Circumstance, ...]:
    """Return what may change during a run, before and after it; nothing where the board was not timed."""
    environment = measurement.get("environment")
    if environment is None:
        return ()
    before, after = environment["before"], environment["after"]
    return tuple(
        Circumstance(name=name, before=tell(before) or _ABSENT, after=tell(after) or _ABSENT)
        for name, tell in _ROWS.items()
    )


def _protocol(measurement: Mapping[str, Any]) -> str:
    asked = measurement["protocol"]
    return (
        f"{asked['name']}: {measurement['warmup']:,} inferences untimed, then at least {asked['samples']:,} and "
        f"{asked['seconds']:g} s"
    )


def _cooldown(found: Mapping[str, Any] | None) -> str | None:
    if found is None:
        return "none"
    until = f" for {found['until_millidegrees'] / 1000:g} \N{DEGREE SIGN}C" if found["until_millidegrees"] else ""
    return f"waited {found['waited_ns'] / 1e9:.1f} s{until}{'' if found['reached'] else ', which was not reached'}"


def _per_core(key: str, write: Callable[[Any], str]) -> Callable[[Moment], str]:
    """Return a teller of one value per core, equal neighbours together: "0-3: ondemand"."""

    def tell(moment: Moment) -> str:
        cores = [(core["core"], core[key]) for core in moment["cores"] or () if core[key] is not None]
        groups = [(value, [number for number, _ in group]) for value, group in groupby(cores, key=lambda core: core[1])]
        return "; ".join(f"{_span(numbers)}: {write(value)}" for value, numbers in groups)

    return tell


def _span(numbers: list[int]) -> str:
    return str(numbers[0]) if len(numbers) == 1 else f"{numbers[0]}\N{EN DASH}{numbers[-1]}"


def _runs(values: list[str]) -> str:
    return ", ".join(f"{len(list(group))} x {value}" for value, group in groupby(values))


def _zones(moment: Moment) -> str:
    found = [zone for zone in moment["thermal_zones"] or () if zone["millidegrees"] is not None]
    return "; ".join(f"{zone['type'] or '?'}: {zone['millidegrees'] / 1000:.1f} \N{DEGREE SIGN}C" for zone in found)


def _coolers(moment: Moment) -> str:
    found = [cooler for cooler in moment["cooling_devices"] or () if cooler["state"] is not None]
    named = [f"{cooler['type'] or '?'}: {cooler['state']} of {cooler['highest_state']}" for cooler in found]
    return "; ".join(f"{len(list(group))} x {text}" for text, group in groupby(sorted(named)))


def _memory(moment: Moment) -> str:
    peak = moment["memory_peak_kib"]
    return "" if peak is None else f"{peak:,} KiB"


def _mhz(khz: int) -> str:
    return f"{khz / 1000:.0f} MHz"


_ROWS: dict[str, Callable[[Moment], str]] = {
    "cores allowed": lambda moment: moment["affinity"] or "",
    "cores online": lambda moment: moment["online"] or "",
    "governor": _per_core("governor", str),
    "clock": _per_core("frequency_khz", _mhz),
    "highest clock allowed": _per_core("maximum_khz", _mhz),
    "highest clock of the hardware": _per_core("hardware_maximum_khz", _mhz),
    "times throttled": _per_core("throttle_count", str),
    "Raspberry Pi firmware": lambda moment: moment["raspberry_throttled"] or "",
    "temperatures": _zones,
    "cooling devices": _coolers,
    "memory high-water mark": _memory,
    "load average, tasks": lambda moment: moment["loadavg"] or "",
}
