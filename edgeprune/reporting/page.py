"""report.html: one file that needs nothing else, readable on a laptop and on a phone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from edgeprune.reporting.device import CycleEstimate, Fact, Interval, Latency
from edgeprune.reporting.figure import MEANING, Accuracy, Figure, Provenance
from edgeprune.reporting.footnotes import Footnotes
from edgeprune.reporting.headline import Ratio, accuracy_change, headline
from edgeprune.reporting.model import Report
from edgeprune.reporting.quantity import human, share, three_digits

_TEMPLATES = Path(__file__).parent / "template"

_TARGET_COLUMNS = (
    "test accuracy",
    "parameters",
    "MACs",
    "weights",
    "executable",
    "code",
    "arena",
    "latency p50",
    "latency p90",
    "instructions",
    "cycles",
)


@dataclass(frozen=True)
class PagePlot:
    """One picture as inline SVG, drawn once for a laptop and once for a phone."""

    wide: str
    narrow: str


@dataclass(frozen=True)
class _Line:
    name: str
    ratio: Figure
    dense: str
    pruned: str


@dataclass(frozen=True)
class _Card:
    title: str
    lines: tuple[_Line, ...]


def render_page(report: Report, plots: dict[str, PagePlot]) -> str:
    """Return the page; ``plots`` holds every picture of `write_report` but the overview."""
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        figure=_figure,
        ratio_figure=_ratio_figure,
        counted=_counted,
        sampled=_sampled,
        ranged=_ranged,
        bounds=_bounds,
        pairs=_pairs,
        footnotes=Footnotes,
    )
    data = report.data
    return environment.get_template("report.html.j2").render(
        report=report,
        css=Markup((_TEMPLATES / "report.css").read_text(encoding="utf-8")),
        plots={name: PagePlot(Markup(plot.wide), Markup(plot.narrow)) for name, plot in plots.items()},
        cards=_cards(report),
        target_columns=_TARGET_COLUMNS,
        samples_in_splits=f"{data.training:,} training, {data.validation:,} validation, {data.test:,} test",
        meaning=MEANING,
    )


def _cards(report: Report) -> list[_Card]:
    """Return a card for the accuracy, each ratio of the network, and each target: how fast it got, then how small."""
    dense, pruned = report.dense.test.percent, report.pruned.test.percent
    cards = [_Card("Test accuracy", (_Line("", accuracy_change(report), human(dense), human(pruned)),))]
    present = [ratio for ratio in headline(report) if ratio.ratio.value is not None]
    for target, ratios in groupby(present, key=lambda ratio: ratio.target):
        if target is None:
            cards += [_Card(ratio.name[0].upper() + ratio.name[1:], (_line(ratio, ""),)) for ratio in ratios]
        else:
            lines = sorted(ratios, key=lambda ratio: ratio.ratio.provenance == "computed")
            cards.append(_Card(target, tuple(_line(ratio, ratio.name) for ratio in lines)))
    return cards


def _line(ratio: Ratio, name: str) -> _Line:
    return _Line(name, ratio.ratio, human(ratio.dense), human(ratio.pruned))


def _figure(figure: Figure, notes: Footnotes | None = None, suffix: str = "") -> Markup:
    """Return the figure with its badge; an absent one points to its reason below, or gives it without ``notes``."""
    if figure.provenance is None:
        return _absent(figure.reason or "", notes)
    return _present(figure, human(figure) + suffix, figure.provenance)


def _ratio_figure(figure: Figure) -> Markup:
    if figure.provenance is None or figure.value is None:
        return _absent(figure.reason or "", None)
    if figure.unit != "points":
        return _present(figure, share(figure.value), figure.provenance)
    number, unit = human(figure).replace("-", "\N{MINUS SIGN}").split()
    return _present(figure, Markup("{} <small>{}</small>").format(number, unit), figure.provenance)


def _present(figure: Figure, text: str, provenance: Provenance) -> Markup:
    exact = "" if figure.unit == "1" else f" {figure.unit}"
    return Markup(
        '<span class="figure"><data value="{value}" data-unit="{unit}" title="{value}{exact}">{text}</data> '
        '<abbr class="badge {provenance}" title="{meaning}">{provenance}</abbr></span>'
    ).format(
        value=repr(figure.value),
        unit=figure.unit,
        exact=exact,
        text=text,
        provenance=provenance,
        meaning=MEANING[provenance],
    )


def _absent(reason: str, notes: Footnotes | None) -> Markup:
    if notes is None:
        return Markup('<span class="figure absent"><span class="why">{}</span></span>').format(reason)
    mark = Markup('<span class="figure absent" title="{}">\N{EM DASH}<sup>{}</sup></span>')
    return mark.format(reason, notes.number(reason))


def _counted(accuracy: Accuracy) -> Markup:
    if accuracy.correct is None or accuracy.total is None:
        return Markup("")
    return Markup("<small>{} of {}</small>").format(f"{accuracy.correct:,}", f"{accuracy.total:,}")


def _sampled(latency: Latency) -> Markup:
    """Return the number of samples and the interval of the median."""
    lines = Markup("")
    if latency.samples:
        lines += Markup("<small>n = {}</small>").format(f"{latency.taken:,}")
    if latency.interval is not None:
        lines += _bounds(latency.interval)
    return lines


def _ranged(cycles: CycleEstimate | None) -> Markup:
    if cycles is None:
        return Markup("")
    return Markup("<small>{}\N{EN DASH}{}</small>").format(human(cycles.low), human(cycles.high))


def _bounds(interval: Interval) -> Markup:
    kind = "range of the model" if interval.confidence == 1 else f"{100 * interval.confidence:.0f} % interval"
    return Markup("<small>{}</small> <small>{}\N{EN DASH}{}</small>").format(
        kind, _precise(interval.low), _precise(interval.high)
    )


def _precise(bound: float) -> str:
    """Return a bound of an interval, which is too narrow for three digits."""
    return f"{bound:.4g}" if bound < 1e4 else three_digits(bound)


def _pairs(facts: Iterable[Fact]) -> list[tuple[str, str]]:
    return [(fact.name, fact.value) for fact in facts]
