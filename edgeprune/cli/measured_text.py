"""A measurement as a person reads it in a terminal."""

from __future__ import annotations

import textwrap
from typing import Any

_WIDTH = 110


def comparison_text(found: dict[str, Any]) -> str:
    """Return medians, ratio and its interval of two artifacts that took turns."""
    interval = found["ratio_interval"]
    return (
        f"measured: first {found['first']['p50'] / 1000:.4g} us, second {found['second']['p50'] / 1000:.4g} us "
        f"(medians); first / second = {found['ratio']:.3f} [{interval['low']:.3f}, {interval['high']:.3f}] "
        f"at {interval['confidence']:.0%}, {found['rounds']} rounds in turns"
    )


def measurement_text(found: dict[str, Any], *, steps: bool) -> str:
    """Return what was measured or counted, with every verdict; with ``steps`` a line per kernel as well."""
    if found["provenance"] == "not run":
        return f"not run: {found['absent']['reason']}; {found['absent']['mend']}"
    lines = [f"check passed: largest relative error {found['check']['max_relative_error']:.1e}"]
    if found["latency"] is not None:
        lines += _latency(found)
        lines += _roofline(found["roofline"])
    if found["instructions"] is not None:
        lines.append(f"emulated: {found['instructions']['region']:,} instructions per inference: {_mix(found)}")
    if found["instructions_absent"] is not None:
        absent = found["instructions_absent"]
        lines.append(f"instructions not counted: {absent['reason']}; {absent['mend']}")
    if found["cycles_estimated"] is not None:
        lines.append(f"estimated: {_cycles(found['cycles_estimated'])}")
    if found["cycles_absent"] is not None and found["instructions_absent"] is None:
        absent = found["cycles_absent"]
        lines.append(f"cycles not estimated: {absent['reason']}; {absent['mend']}")
    if steps:
        lines += _steps(found)
    lines += [f"verdict: {verdict['name']}: {verdict['detail']}" for verdict in found["verdicts"]]
    if found["latency"] is not None and not found["verdicts"]:
        lines.append("verdict: nothing speaks against these figures")
    return "\n".join(lines)


def _latency(found: dict[str, Any]) -> list[str]:
    latency = found["latency"]
    low, high = (_us(latency["p50_interval"][end]) for end in ("low", "high"))
    state = "cold caches, " if found["cold_bytes"] else ""
    p99 = f", p99 {_us(latency['p99'])} us" if latency["p99"] is not None else ""
    windows = latency["windows_median"]
    lines = [
        f"measured: p50 {_us(latency['p50'])} us [{low}, {high}], p90 {_us(latency['p90'])} us{p99}; "
        f"{state}n = {latency['n']:,}, {found['threads']} thread(s) on core(s) {found['cores_used'] or 'unknown'}"
    ]
    if windows is not None:
        lines.append(f"measured: median of the means of five windows {_us(windows)} us")
    return lines


def _roofline(found: dict[str, Any] | None) -> list[str]:
    if found is None:
        return []
    total, peak = found["total"], found["peak"]
    lines = []
    if total["flop_per_s"] is not None:
        lines.append(
            f"measured: {total['flop_per_s'] / 1e9:.3g} GFLOP/s{_of(total['flop_fraction'])}, "
            f"{total['bytes_per_s'] / 1e9:.3g} GB/s{_of(total['bytes_fraction'])}, by {peak['origin']}"
        )
    if peak["absent"] is not None:
        lines.append(f"no fraction of a peak where {peak['absent']}")
    return lines


def _of(fraction: float | None) -> str:
    return f" ({fraction:.1%} of the peak)" if fraction is not None else ""


def _steps(found: dict[str, Any]) -> list[str]:
    if not found["profile"]:
        return ["no time per kernel: nothing was timed"]
    whole = sum(step["p50"] for step in found["profile"]) or 1.0
    head = f"{'us':>9} {'share':>6} {'GFLOP/s':>8} {'of peak':>8} {'GB/s':>7} {'of peak':>8}  kernel: ONNX nodes"
    lines = ["measured, median of each step:", head]
    for step in found["roofline"]["steps"]:
        name = f"{step['name']}: {', '.join(step['nodes'])}" if step["nodes"] else step["name"]
        rates = [_rate(step["flop_per_s"]), _part(step["flop_fraction"])]
        rates += [_rate(step["bytes_per_s"]), _part(step["bytes_fraction"])]
        left = f"{_us(step['nanoseconds']):>9} {step['nanoseconds'] / whole:>6.1%} "
        left += f"{rates[0]:>8} {rates[1]:>8} {rates[2]:>7} {rates[3]:>8}  "
        lines.append(left + textwrap.shorten(name, _WIDTH - len(left), placeholder=" ..."))
    return lines


def _mix(found: dict[str, Any]) -> str:
    counted = found["instructions"]
    shares = [f"{name} {count / counted['region']:.0%}" for name, count in counted["mix"].items() if count]
    return ", ".join(shares)


def _cycles(estimate: dict[str, Any]) -> str:
    text = (
        f"{estimate['value']:,} cycles [{estimate['low']:,}, {estimate['high']:,}] by the {estimate['model']} model of "
        f"{estimate['cpu']}"
    )
    if estimate["assumed_caches"]:
        text += f" with the usual {' and '.join(estimate['assumed_caches'])}"
    time = estimate["milliseconds"]
    if time is None:
        return text
    return f"{text}; {time['value']:.3g} ms [{time['low']:.3g}, {time['high']:.3g}] at {time['mhz']} MHz"


def _us(nanoseconds: float) -> str:
    return f"{nanoseconds / 1000:.4g}"


def _rate(value: float | None) -> str:
    return "-" if value is None else f"{value / 1e9:.3g}"


def _part(fraction: float | None) -> str:
    return "-" if fraction is None else f"{fraction:.1%}"
