"""From a measurement's JSON to the report's latency and roofline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgeprune.reporting import Figure, Interval, Latency, Rate, Roofline, Step
from edgeprune.stages.report_parts import absent_reason

_EMULATED_TIME = "not measured: an emulator's wall time is not a latency"
_NO_P99 = "not given below 100 samples"
_NO_WINDOWS = "not given below 5 samples"
_TOO_SHORT = "the median is below what the clock can tell"
# A report holds so many samples at most; a picture cannot show more, and the measurement's own file has all of them.
_MOST_SAMPLES = 10_000


def latency(measurement: Mapping[str, Any]) -> Latency:
    """Return the latency in microseconds, absent where nothing was timed."""
    if measurement["provenance"] == "not run":
        return Latency.absent(f"not run: {absent_reason(measurement['absent'])}")
    found = measurement["latency"]
    if found is None:
        return Latency.absent(_EMULATED_TIME)
    interval, samples = found["p50_interval"], measurement["samples_ns"]
    order = range(len(samples))
    extremes = {min(order, key=samples.__getitem__), max(order, key=samples.__getitem__)}
    kept = sorted(extremes.union(order[:: -(-len(samples) // _MOST_SAMPLES)]))
    return Latency(
        p50=Figure.measured(found["p50"] / 1000, "us"),
        p90=Figure.measured(found["p90"] / 1000, "us"),
        p99=_microseconds(found["p99"], _NO_P99),
        windows=_microseconds(found["windows_median"], _NO_WINDOWS),
        interval=Interval(low=interval["low"] / 1000, high=interval["high"] / 1000, confidence=interval["confidence"]),
        samples=tuple(samples[index] / 1000 for index in kept),
        taken=len(samples),
    )


def roofline(measurement: Mapping[str, Any]) -> Roofline | None:
    """Return what was achieved against the board's peaks; ``None`` where no step was timed."""
    found = measurement.get("roofline")
    if found is None:
        return None
    peak = found["peak"]
    return Roofline(
        peak_flop_rate=_computed(peak["flop_per_s"], "FLOP/s", peak["absent"]),
        peak_byte_rate=_computed(peak["bytes_per_s"], "B/s", peak["absent"]),
        origin=peak["origin"],
        total=_rate(found["total"], peak["absent"]),
        steps=tuple(
            Step(
                kernel=step["name"],
                nodes=tuple(step["nodes"]),
                time=Figure.measured(step["nanoseconds"] / 1000, "us"),
                rate=_rate(step, peak["absent"]),
            )
            for step in found["steps"]
        ),
    )


def _microseconds(nanoseconds: float | None, reason: str) -> Figure:
    return Figure.absent(reason, "us") if nanoseconds is None else Figure.measured(nanoseconds / 1000, "us")


def _rate(found: Mapping[str, Any], no_peak: str | None) -> Rate:
    flop, moved = found["flop_per_s"], found["bytes_per_s"]
    return Rate(
        flop=Figure.computed(found["flop"], "FLOP"),
        bytes=Figure.computed(found["bytes"], "B"),
        flop_rate=Figure.absent(_TOO_SHORT, "FLOP/s") if flop is None else Figure.measured(flop, "FLOP/s"),
        byte_rate=Figure.absent(_TOO_SHORT, "B/s") if moved is None else Figure.measured(moved, "B/s"),
        flop_fraction=_fraction(found["flop_fraction"], flop, no_peak),
        byte_fraction=_fraction(found["bytes_fraction"], moved, no_peak),
    )


def _fraction(value: float | None, rate: float | None, no_peak: str | None) -> Figure:
    if value is not None:
        return Figure.measured(100 * value, "%")
    return Figure.absent(_TOO_SHORT if rate is None else no_peak or _TOO_SHORT, "%")


def _computed(value: float | None, unit: Any, no_peak: str | None) -> Figure:
    return Figure.computed(value, unit) if value is not None else Figure.absent(no_peak or _TOO_SHORT, unit)
