"""Writing a report: JSON, page and pictures, each complete or not there at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure as Canvas

from edgeprune.reporting.document import to_json
from edgeprune.reporting.model import Report
from edgeprune.reporting.page import PagePlot, render_page
from edgeprune.reporting.plots.accuracy_size import draw_accuracy_size
from edgeprune.reporting.plots.latency import draw_latency
from edgeprune.reporting.plots.layers import draw_layers
from edgeprune.reporting.plots.overview import draw_overview
from edgeprune.reporting.plots.render import inline_svg, own_defaults, png
from edgeprune.reporting.plots.roofline import draw_roofline
from edgeprune.reporting.plots.steps import draw_steps
from edgeprune.reporting.plots.style import NARROW, WIDE, Layout


@dataclass(frozen=True)
class ReportFiles:
    """The files of a written report."""

    json: Path
    html: Path
    overview: Path
    accuracy_size: Path
    latency: Path
    steps: Path
    roofline: Path
    layers: Path


@dataclass(frozen=True)
class _Plot:
    name: str
    draw: Callable[[Report, Layout], Canvas]
    label: str


_PLOTS = (
    _Plot("accuracy_size", draw_accuracy_size, "Accuracy over parameters along the pruning rounds"),
    _Plot("latency", draw_latency, "Distribution of the measured latencies"),
    _Plot("steps", draw_steps, "Time of each kernel"),
    _Plot("roofline", draw_roofline, "Operations per second of each kernel against what the board can do"),
    _Plot("layers", draw_layers, "Channels or neurons kept in each layer"),
)


def write_report(report: Report, out: Path) -> ReportFiles:
    """Write report.json, report.html and six PNGs into the directory ``out``, made if missing.

    Each file is written under a temporary name and renamed; files already there are replaced.
    """
    out.mkdir(parents=True, exist_ok=True)
    files = ReportFiles(
        json=out / "report.json",
        html=out / "report.html",
        overview=out / "overview.png",
        accuracy_size=out / "accuracy_size.png",
        latency=out / "latency.png",
        steps=out / "steps.png",
        roofline=out / "roofline.png",
        layers=out / "layers.png",
    )
    plots = {}
    with own_defaults():
        _write(files.overview, png(draw_overview(report)))
        for plot in _PLOTS:
            wide, narrow = plot.draw(report, WIDE), plot.draw(report, NARROW)
            _write(getattr(files, plot.name), png(wide))
            plots[plot.name] = PagePlot(
                wide=inline_svg(wide, f"{plot.name}-wide", plot.label),
                narrow=inline_svg(narrow, f"{plot.name}-narrow", plot.label),
            )
    _write(files.html, render_page(report, plots).encode())
    _write(files.json, to_json(report).encode())
    return files


def _write(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.partial")
    temporary.write_bytes(content)
    temporary.replace(path)
