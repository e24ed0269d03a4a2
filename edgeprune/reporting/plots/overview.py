"""The result at a glance: dense against pruned, for the network and on each target."""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import fill, shorten

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from edgeprune.reporting.figure import Figure
from edgeprune.reporting.headline import Ratio, accuracy_change, headline
from edgeprune.reporting.model import Report
from edgeprune.reporting.plots.style import DENSE, FAINT, GRID, INK, PAPER, PRUNED
from edgeprune.reporting.quantity import human, share

WIDTH = 9.0
_ROW, _GROUP, _TOP, _BOTTOM = 0.46, 0.42, 0.95, 0.5
# Columns of the picture, as fractions of its width.
_LABEL, _BAR, _BAR_END, _RESULT = 0.035, 0.22, 0.72, 0.965


@dataclass(frozen=True)
class _Row:
    label: str
    dense: Figure
    pruned: Figure
    result: str


def draw_overview(report: Report) -> Canvas:
    """Return a pair of bars per figure, each pair on its own scale from 0 to the larger of the two."""
    groups = _groups(report)
    height = _TOP + _BOTTOM + sum(_GROUP + _ROW * len(rows) for _, rows in groups)
    figure = Canvas(figsize=(WIDTH, height), facecolor=PAPER)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, 1), ylim=(height, 0))
    axes.axis("off")
    _draw_title(axes, report)
    y = _TOP
    for title, rows in groups:
        axes.plot((_LABEL, _RESULT), (y, y), color=GRID, linewidth=0.8)
        axes.text(_LABEL, y + _GROUP / 2 + 0.03, title, color=FAINT, fontsize=8.5, va="center")
        y += _GROUP
        for row in rows:
            _draw_row(axes, y, row)
            y += _ROW
    axes.text(_LABEL, height - 0.22, _footer(report), color=FAINT, fontsize=7.5, va="center")
    return figure


def _groups(report: Report) -> list[tuple[str, list[_Row]]]:
    change = accuracy_change(report)
    accuracy = _Row(
        "test accuracy",
        report.dense.test.percent,
        report.pruned.test.percent,
        human(change).replace("-", "\N{MINUS SIGN}"),
    )
    ratios = headline(report)
    network = [accuracy, *(_row(ratio) for ratio in ratios if ratio.target is None)]
    groups = [(f"the network, {report.data.test:,} test samples", network)]
    for target in report.targets:
        own = [ratio for ratio in ratios if ratio.target == target.name]
        shown = [ratio for ratio in own if ratio.dense.value is not None or ratio.pruned.value is not None]
        # A target of which nothing could be run says so; a kind of figure it never has is left out.
        ran = {ratio.name for ratio in shown} & {"p50 latency", "instructions"}
        missing = [] if ran else [ratio for ratio in own if ratio.name == "instructions"]
        if shown or missing:
            groups.append((f"{target.name}: {target.description}", [_row(ratio) for ratio in (*shown, *missing)]))
    return groups


def _row(ratio: Ratio) -> _Row:
    provenance = ratio.dense.provenance or ratio.pruned.provenance
    label = ratio.name if provenance in ("computed", None) else f"{ratio.name},\n{provenance}"
    return _Row(label, ratio.dense, ratio.pruned, "" if ratio.ratio.value is None else share(ratio.ratio.value))


def _draw_title(axes: Axes, report: Report) -> None:
    axes.text(_LABEL, 0.36, report.title, color=INK, fontsize=15, fontweight="bold", va="center")
    axes.text(_LABEL, 0.66, shorten(report.description, 110, placeholder=" ..."), color=FAINT, fontsize=9, va="center")
    for offset, colour, name in ((0.17, DENSE, "dense"), (0.07, PRUNED, "pruned")):
        x = _RESULT - offset
        axes.plot((x - 0.025, x - 0.008), (0.36, 0.36), color=colour, linewidth=6, solid_capstyle="butt")
        axes.text(x, 0.36, name, color=INK, fontsize=9, va="center")


def _footer(report: Report) -> str:
    """Say where figures without a word of their own come from, and what "measured" was measured on."""
    measured = any(
        result.latency.p50.provenance == "measured" for target in report.targets for result in target.variants
    )
    machine = f" Run on {report.machine}." if measured else ""
    return f"Accuracy, parameters, MACs and sizes are computed; 1 kB = 1000 bytes.{machine}"


def _draw_row(axes: Axes, y: float, row: _Row) -> None:
    axes.text(_LABEL, y + 0.17, row.label, color=INK, fontsize=9.5, va="center", linespacing=1.05)
    reason = row.dense.reason or row.pruned.reason
    if reason is not None:
        axes.text(_BAR, y + 0.17, fill(reason, 100), color=FAINT, fontsize=8.5, va="center", style="italic")
        return
    values = [float(figure.value or 0) for figure in (row.dense, row.pruned)]
    largest = max(values) or 1.0
    for offset, value, figure, colour in zip(
        (0.07, 0.25), values, (row.dense, row.pruned), (DENSE, PRUNED), strict=True
    ):
        length = (_BAR_END - _BAR) * value / largest
        axes.barh(y + offset, length, left=_BAR, height=0.14, color=colour)
        axes.text(_BAR + length + 0.008, y + offset + 0.005, human(figure), color=INK, fontsize=8.5, va="center")
    axes.text(_RESULT, y + 0.17, row.result, color=INK, fontsize=14, fontweight="bold", va="center", ha="right")
