"""Two runs side by side, figure by figure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from edgeprune.reporting.figure import Figure
from edgeprune.reporting.footnotes import Footnotes
from edgeprune.reporting.headline import difference, over
from edgeprune.reporting.listing import named_figures
from edgeprune.reporting.model import Report
from edgeprune.reporting.quantity import human

_NOT_IN_RUN = "not in that run"
_SAME_FOR_EVERY_TARGET = ("parameters", "MACs")


@dataclass(frozen=True)
class ComparisonRow:
    """One figure of both runs; ``target`` is empty for the network itself.

    ``change`` is second over first, for accuracies second minus first in percentage points.
    """

    target: str
    variant: str
    name: str
    first: Figure
    second: Figure
    change: Figure

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as JSON-able values."""
        place = {"target": self.target, "variant": self.variant, "figure": self.name}
        figures = {"first": self.first, "second": self.second, "change": self.change}
        return place | {key: figure.model_dump(mode="json") for key, figure in figures.items()}


@dataclass(frozen=True)
class Comparison:
    """Two runs' names, their rows, and what stands against comparing them."""

    first: str
    second: str
    rows: tuple[ComparisonRow, ...]
    warnings: tuple[str, ...]


def compare_reports(first: Report, second: Report) -> Comparison:
    """Return the figures of networks and targets that either run has, in the order of ``first``.

    Parameters and MACs are compared once, for the network, not again for each target.
    """
    left, right = _by_place(first), _by_place(second)
    rows = []
    for place in left | right:
        unit = (left.get(place) or right[place]).unit
        one = left.get(place, Figure.absent(_NOT_IN_RUN, unit))
        other = right.get(place, Figure.absent(_NOT_IN_RUN, unit))
        if one.value is not None or other.value is not None:
            rows.append(ComparisonRow(*place, one, other, _change(one, other)))
    return Comparison(_name(first), _name(second), tuple(rows), _warnings(first, second))


def print_comparison(comparison: Comparison, console: Console) -> None:
    """Print the rows with both values, each with its provenance, and the ratio second/first or the difference."""
    footnotes = Footnotes()
    table = _rows(comparison, footnotes)
    console.print(Text(f"A: {comparison.first}\nB: {comparison.second}"))
    console.print(table)
    for number, reason in footnotes.items():
        console.print(Text(f"[{number}] {reason}", style="dim"))
    for warning in comparison.warnings:
        console.print(Text(f"Mind: {warning}", style="yellow"))


def _rows(comparison: Comparison, footnotes: Footnotes) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("target", "variant"):
        table.add_column(title, no_wrap=True)
    table.add_column("figure")
    for title in ("A", "B", "B / A"):
        table.add_column(title, justify="right", no_wrap=True)
    previous = None
    for row in comparison.rows:
        place = (row.target, row.variant)
        if previous is not None and previous != place:
            table.add_section()
        shown = ("", "") if previous == place else (row.target or "(network)", row.variant)
        values = (_value(row.first, footnotes), _value(row.second, footnotes), _change_text(row.change, footnotes))
        table.add_row(*map(Text, (*shown, row.name, *values)))
        previous = place
    return table


def _by_place(report: Report) -> dict[tuple[str, str, str], Figure]:
    return {
        (row.target, row.variant, row.name): row.figure
        for row in named_figures(report)
        if row.section == "network" or (row.section == "target" and row.name not in _SAME_FOR_EVERY_TARGET)
    }


def _name(report: Report) -> str:
    return f"{report.title}, {report.created}, seed {report.seed}"


def _warnings(first: Report, second: Report) -> tuple[str, ...]:
    found = []
    if first.title != second.title:
        found.append(f"two recipes: {first.title} and {second.title}")
    if first.machine != second.machine:
        found.append(f"two machines: {first.machine} and {second.machine}; their host latencies do not compare")
    for board in first.targets:
        same = second.target(board.name)
        if same is not None and board.address and same.address and board.address != same.address:
            found.append(f"two boards for {board.name}: {board.address} and {same.address}")
    for name in sorted(first.versions.keys() | second.versions.keys()):
        one, other = first.versions.get(name, "absent"), second.versions.get(name, "absent")
        if one != other:
            found.append(f"two versions of {name}: {one} and {other}")
    return tuple(found)


def _value(figure: Figure, footnotes: Footnotes) -> str:
    if figure.provenance is None:
        return f"- [{footnotes.number(figure.reason or '')}]"
    return f"{human(figure)} {figure.provenance}"


def _change(first: Figure, second: Figure) -> Figure:
    return difference(second, first) if first.unit == "%" else over(second, first)


def _change_text(figure: Figure, footnotes: Footnotes) -> str:
    if figure.value is None:
        return f"- [{footnotes.number(figure.reason or '')}]"
    return human(figure) if figure.unit == "points" else f"{figure.value:.3f}"
