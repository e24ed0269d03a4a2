"""The table a person reads at the end of a run, in a terminal 100 columns wide or wider."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from edgeprune.reporting.device import VariantResult
from edgeprune.reporting.figure import MEANING, PROVENANCES, Figure, Provenance
from edgeprune.reporting.footnotes import Footnotes
from edgeprune.reporting.model import Report
from edgeprune.reporting.quantity import duration_pair, human
from edgeprune.reporting.sentence import (
    budget_sentences,
    choice_sentences,
    cycle_sentences,
    place_sentences,
    ratio_sentences,
    roofline_sentences,
    verdict_sentences,
)

LETTER: dict[Provenance, str] = {"measured": "m", "emulated": "e", "estimated": "s", "computed": "c"}


@dataclass(frozen=True)
class _Column:
    title: str
    figure: Callable[[VariantResult], Figure]
    text: Callable[[VariantResult], str]


def _single(title: str, figure: Callable[[VariantResult], Figure]) -> _Column:
    return _Column(title, figure, lambda result: human(figure(result)))


_COLUMNS = (
    _single("test\naccuracy", lambda result: result.accuracy.percent),
    _single("para-\nmeters", lambda result: result.parameters),
    _single("\nMACs", lambda result: result.macs),
    _single("execu-\ntable", lambda result: result.executable_bytes),
    _single("\narena", lambda result: result.arena_bytes),
    _Column("latency\np50/p90", lambda result: result.latency.p50, lambda result: _latency(result)),
    _single("instruc-\ntions", lambda result: result.instructions),
    _single("\ncycles", lambda result: result.estimated_cycles),
)


_TOLD = (
    ratio_sentences,
    budget_sentences,
    cycle_sentences,
    choice_sentences,
    roofline_sentences,
    place_sentences,
    verdict_sentences,
)


def print_table(report: Report, console: Console) -> None:
    """Print a row per target and variant, the legend, then in words ratios, budget, ranges, rates and verdicts."""
    footnotes = Footnotes()
    console.print(Text(f"{report.title}, seed {report.seed}, run on {report.machine}", style="bold"))
    if report.targets:
        console.print(_rows(report, footnotes))
        _print_legend(footnotes, console)
        console.print()
    for tell in _TOLD:
        for sentence in tell(report):
            console.print(Text(sentence))
    _print_not_run(report, console)


def _rows(report: Report, footnotes: Footnotes) -> Table:
    letters = [_letters(column, report) for column in _COLUMNS]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column("\ntarget", no_wrap=True)
    table.add_column("\nvariant", no_wrap=True)
    for column, found in zip(_COLUMNS, letters, strict=True):
        header = f"{column.title}\n({', '.join(found)})" if found else column.title
        table.add_column(Text(header), justify="right", no_wrap=True)
    for target in report.targets:
        for index, result in enumerate(target.variants):
            cells = [_cell(column, result, found, footnotes) for column, found in zip(_COLUMNS, letters, strict=True)]
            name = "" if index else target.name
            style = "bold" if result.variant == "pruned" else ""
            table.add_row(Text(name), result.variant, *map(Text, cells), style=style)
        table.add_section()
    return table


def _letters(column: _Column, report: Report) -> list[str]:
    """Return the letters of the provenances that occur in the column; its header carries them."""
    found = {column.figure(result).provenance for target in report.targets for result in target.variants}
    return [LETTER[provenance] for provenance in PROVENANCES if provenance in found]


def _cell(column: _Column, result: VariantResult, letters: list[str], footnotes: Footnotes) -> str:
    """Return the figure's text, with a letter of its own where the column mixes provenances."""
    figure = column.figure(result)
    if figure.provenance is None:
        return f"- [{footnotes.number(figure.reason or '')}]"
    return f"{column.text(result)} {LETTER[figure.provenance]}" if len(letters) > 1 else column.text(result)


def _latency(result: VariantResult) -> str:
    p50, p90 = result.latency.p50.value, result.latency.p90.value
    assert p50 is not None and p90 is not None
    return duration_pair(p50, p90)


def _print_legend(footnotes: Footnotes, console: Console) -> None:
    for number, reason in footnotes.items():
        console.print(Text(f"[{number}] {reason}", style="dim"))
    for provenance in PROVENANCES:
        console.print(Text(f"({LETTER[provenance]}) {provenance}: {MEANING[provenance]}", style="dim"))
    console.print(Text("1 kB = 1000 bytes, 1 k = 1000", style="dim"))


def _print_not_run(report: Report, console: Console) -> None:
    if not report.not_run:
        console.print(Text("Nothing was left out."))
        return
    console.print(Text("Not run:", style="bold yellow"))
    for missing in report.not_run:
        console.print(Text(f"  {missing.what}: {missing.reason}"))
