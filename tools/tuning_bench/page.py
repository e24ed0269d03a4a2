"""docs/tuning-figures.md: every goal with what came out, and the figures behind it, made from the rows alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from tuning_bench.curve_plot import plot_curves
from tuning_bench.goals import Verdict
from tuning_bench.results import Row
from tuning_bench.tables import (
    curve_table,
    emulated_table,
    host_table,
    kernel_table,
    pays_table,
    throughput_table,
    transfer_table,
)

_INTRODUCTION = """\
# What tuning reaches

Every figure of this page comes from one command, run in the parts that the last table names:

    pip install 'edgeprune[peers]'
    python tools/bench_tuning.py --json OUT.json --markdown PAGE.md

How engines are made comparable is in [peers.md](peers.md), what estimated cycles are worth in
[cycle-model.md](cycle-model.md), how tuning works in [tuning.md](tuning.md). A time is a median, in brackets its 95 %
bootstrap interval; a ratio is the median over the rounds in which the engines took turns, below 1 when edgeprune is
faster. Networks have seeded weights; outputs were held against ONNX Runtime's before anything was timed.
"""

_PICTURE = "tuning-curve-{network}.png"


def page(rows: Sequence[Row], directory: Path) -> str:
    """Return the page, and put its picture into ``directory``."""
    parts = [_INTRODUCTION, _goals(rows)]
    sections: tuple[tuple[str, str, Callable[[Sequence[Row]], list[str]]], ...] = (
        ("host", "On this machine, beside other engines", host_table),
        ("emulated", "On emulated ARM cores", emulated_table),
        ("emulated", "The kernels on emulated ARM cores", kernel_table),
        ("pruning-pays", "Pruning pays", pays_table),
        ("throughput", "How fast the search is", throughput_table),
        ("curve", "Trials until it is fast", curve_table),
        ("transfer", "What records of another kernel are worth", transfer_table),
    )
    for part, title, table in sections:
        lines = table([row for row in rows if row.part == part])
        if lines:
            parts.append("\n".join([f"## {title}", "", *lines, *_pictures(part, rows, directory)]) + "\n")
    parts.append(_origins(rows))
    return "\n".join(parts)


def _goals(rows: Sequence[Row]) -> str:
    verdicts = [(row, verdict) for row in rows for verdict in row.verdicts]
    met = sum(verdict.met is True for _, verdict in verdicts)
    missed = sum(verdict.met is False for _, verdict in verdicts)
    lines = ["## Goals", ""]
    lines.append(f"{met} met, {missed} missed, {len(verdicts) - met - missed} not measured.")
    lines += ["", "| part | of | goal | limit | value | outcome |", "|---|---|---|---|---|---|"]
    lines += [f"| {row.part} | {row.name} | {_goal(verdict)} |" for row, verdict in verdicts]
    return "\n".join(lines) + "\n"


def _goal(verdict: Verdict) -> str:
    sign = {"<=": "at most", ">=": "at least"}[verdict.sense]
    value = "-" if verdict.value is None else f"{verdict.value:.3g}"
    if verdict.low is not None and verdict.high is not None:
        value += f" [{verdict.low:.3g}, {verdict.high:.3g}]"
    return f"{verdict.goal} | {sign} {verdict.limit:.3g} | {value} | {_outcome(verdict)}"


def _outcome(verdict: Verdict) -> str:
    if verdict.met:
        return "met"
    if verdict.met is None:
        return f"not measured: {verdict.reason}"
    if verdict.missed_by is None:
        return f"**missed**: {verdict.reason}"
    return f"**missed** by a factor of {verdict.missed_by:.2f}"


def _pictures(part: str, rows: Sequence[Row], directory: Path) -> Iterable[str]:
    for row in rows:
        if row.part == part == "curve":
            name = _PICTURE.format(network=row.name)
            (directory / name).write_bytes(plot_curves(f"{row.name}, {row.machine['cpu']}", row.figures))
            yield f"\n![{row.name}: microseconds per inference over trials, edgeprune and MetaSchedule]({name})"


def _origins(rows: Sequence[Row]) -> str:
    commands = dict.fromkeys((row.command, _machine(row)) for row in rows)
    lines = ["## Where the figures were made", "", "| command | machine |", "|---|---|"]
    lines += [f"| `{command}` | {machine} |" for command, machine in commands]
    versions = dict.fromkeys(", ".join(f"{name} {number}" for name, number in row.versions.items()) for row in rows)
    return "\n".join([*lines, "", *(f"Versions: {line}." for line in versions)]) + "\n"


def _machine(row: Row) -> str:
    machine = row.machine
    return f"{machine['cpu']} ({machine['llvm_cpu']}), {machine['cores']} cores, {machine['system']}"
