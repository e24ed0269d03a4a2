"""The rows of each part as Markdown tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tuning_bench.results import Row


def host_table(rows: Sequence[Row]) -> list[str]:
    """Return microseconds per engine, a line per network and number of threads."""
    if not rows:
        return []
    engines = _names(rows)
    lines = _head(["network", "threads", *engines, "shortest, tuned over others", "tuning"])
    for row in rows:
        found = {entrant["engine"]: entrant for entrant in row.figures["entrants"]}
        cells = [_time(found.get(engine)) for engine in engines]
        cells.append(_number(row.figures["ratio_of_fastest"].get("edgeprune, tuned")))
        lines.append(_line([row.figures["title"], row.figures["threads"], *cells, _tuning(row.figures["tuning"])]))
    notes = dict.fromkeys(
        f"{entrant['engine']} on {row.figures['network']}: {entrant['reason']}"
        for row in rows
        for entrant in row.figures["entrants"]
        if entrant["reason"]
    )
    said = "Microseconds, measured: medians. The last ratio is of the shortest inferences, which load disturbs less."
    return [*lines, *_listed(f"{said} Not run:", notes)]


def emulated_table(rows: Sequence[Row]) -> list[str]:
    """Return estimated cycles and counted instructions, a line per network, core and engine."""
    compared = [row for row in rows if "entrants" in row.figures]
    lines = _head(["network", "core", "engine", "instructions", "MACs among them", "cycles", "schedules or version"])
    notes: dict[str, None] = {}
    for row in compared:
        for entrant in row.figures["entrants"]:
            where = [row.figures["network"], row.figures["core"], entrant["engine"]]
            if entrant["instructions"] is None:
                notes[f"{entrant['engine']} on {row.figures['core']}: {entrant['reason']}"] = None
                continue
            counts = [f"{entrant['instructions']:,}", f"{entrant['mix']['mac']:,}"]
            lines.append(_line([*where, *counts, _cycles(entrant["cycles"]), entrant["version"]]))
    listed = _listed("Instructions are emulated (exact), cycles estimated with the model's range. Not run:", notes)
    return [*lines, *listed] if compared else []


def kernel_table(rows: Sequence[Row]) -> list[str]:
    """Return the share of multiply-accumulate instructions per kernel and core."""
    counted = [row for row in rows if "kernels" in row.figures]
    lines = _head(["kernel", "core", "share of MAC instructions", "instructions", "cycles", "multiply-adds per cycle"])
    for row in counted:
        for kernel in row.figures["kernels"]:
            if kernel["share"] is None:
                lines.append(_line([kernel["kernel"], row.figures["core"], f"not run: {kernel['reason']}", "", "", ""]))
                continue
            counts = [f"{kernel['instructions']:,}", f"{kernel['cycles']:,}"]
            pace = f"{kernel['multiply_adds_per_cycle']:.2f}"
            lines.append(_line([kernel["kernel"], row.figures["core"], f"{kernel['share']:.0%}", *counts, pace]))
    return lines if counted else []


def pays_table(rows: Sequence[Row]) -> list[str]:
    """Return the speed of half the network, then times by channel count."""
    halves = [row for row in rows if "speed" in row.figures]
    lines = _head(["networks", "MACs", "microseconds", "speed"]) if halves else []
    for row in halves:
        figures = row.figures
        macs = " to ".join(f"{count / 1e6:.1f} M" for count in figures["macs"])
        times = " to ".join(f"{time:.4g}" for time in figures["p50_us"])
        speed = f"{figures['speed']:.2f} [{figures['interval'][0]:.2f}, {figures['interval'][1]:.2f}]"
        lines.append(_line([row.name, macs, times, speed]))
    return lines + [line for row in rows for line in _sweep(row)]


def _sweep(row: Row) -> list[str]:
    columns = {key: value for key, value in row.figures.items() if key == "us" or key.startswith("us_")}
    if not columns:
        return []
    counts = sorted({int(count) for times in columns.values() for count in times})
    named = [key.removeprefix("us_") if key != "us" else "measured" for key in columns]
    lines = ["", f"{row.name}: microseconds of a 3x3 convolution, vectors of {row.figures['lanes']}:", ""]
    lines += _head(["channels", *named])
    for count in counts:
        # JSON has names where Python has numbers.
        times = [column.get(count, column.get(str(count))) for column in columns.values()]
        lines.append(_line([count, *("-" if time is None else f"{time:.4g}" for time in times)]))
    return lines


def throughput_table(rows: Sequence[Row]) -> list[str]:
    """Return what was seen of both searches."""
    lines = []
    for row in rows:
        ours, stock = row.figures["ours"], row.figures["stock"]
        lines += [f"{row.name}, both searches on an empty database, watched from outside:", ""]
        lines += _head(["", "edgeprune", "MetaSchedule"])
        ran = bool(stock["records"])
        for key, label in _SEEN.items():
            lines.append(_line([label, _number(ours[key]), _number(stock[key]) if ran else "not measured"]))
        warm = row.figures["warm"]
        seconds = f"{warm['tune']['seconds']:.1f} s of `tune` and {warm['build_seconds']:.1f} s of `build`"
        lines += ["", f"The same again: {warm['tune']['records'] - ours['records']} trials, {seconds}."]
    return lines


_SEEN = {
    "records": "candidates",
    "seconds": "seconds in all",
    "first_record_seconds": "seconds before the first record",
    "records_per_second_after_first": "candidates a second, after the first",
    "records_per_second_in_all": "candidates a second, from the start",
    "processor_seconds": "processor seconds, start-up and all",
    "memory_gib": "GiB of memory, all processes",
}


def curve_table(rows: Sequence[Row]) -> list[str]:
    """Return where both searches end, and how soon they get near."""
    lines = []
    for row in rows:
        lines += [
            "",
            f"{row.name}:",
            "",
            *_head(["reaching", "microseconds", "trials of edgeprune", "trials of MetaSchedule"]),
        ]
        for goal, found in row.figures["reached"].items():
            trials = [("never" if found[side] is None else found[side]) for side in ("ours", "stock")]
            lines.append(_line([goal, f"{found['microseconds']:.4g}", *trials]))
        ended = {side: row.figures[side]["points"][-1][1] * 1e6 for side in ("ours", "stock")}
        lines += ["", f"After {row.figures['ours']['trials']} and {row.figures['stock']['trials']} trials: "]
        lines[-1] += (
            f"{ended['ours']:.4g} and {ended['stock']:.4g} microseconds, the kernels' sum, timed by one runner."
        )
    return lines


def transfer_table(rows: Sequence[Row]) -> list[str]:
    """Return after how many trials a kernel is fast, from the records of another one and from nothing."""
    lines = []
    for row in rows:
        figures = row.figures
        lines += [
            f"{row.name}: trials until {figures['microseconds']:.4g} microseconds, 95 % of the fastest that any found:",
            "",
            *_head(["search", *(f"seed {seed}" for seed in range(row.settings["seeds"]))]),
        ]
        for side, label in (("without", "from nothing"), ("with", "with the other kernel's records")):
            reached = ["never" if trials is None else trials for trials in figures[side]["trials"]]
            lines.append(_line([label, *reached]))
    return lines


def _names(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(entrant["engine"] for row in rows for entrant in row.figures["entrants"]))


def _time(entrant: Mapping[str, Any] | None) -> str:
    if entrant is None or entrant["p50_us"] is None:
        return "-"
    interval = entrant["p50_interval_us"]
    return f"{entrant['p50_us']:.4g} [{interval['low']:.4g}, {interval['high']:.4g}]"


def _tuning(summary: Mapping[str, Any] | None) -> str:
    return "none" if summary is None else f"{summary['trials_in_all']} trials, {summary['seconds']:.0f} s"


def _cycles(cycles: Mapping[str, Any] | None) -> str:
    return "-" if cycles is None else f"{cycles['value']:,} [{cycles['low']:,}, {cycles['high']:,}]"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


def _listed(title: str, notes: Mapping[str, None]) -> list[str]:
    if not notes:
        return ["", title.removesuffix(" Not run:")]
    return ["", title, "", *(f"- {note}" for note in notes)]


def _head(columns: Sequence[str]) -> list[str]:
    return [_line(columns), "|" + "---|" * len(columns)]


def _line(cells: Sequence[object]) -> str:
    return f"| {' | '.join(str(cell) for cell in cells)} |"
