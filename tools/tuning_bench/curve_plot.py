"""The picture of both searches: microseconds per inference over trials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import FuncFormatter, NullFormatter

from edgeprune.reporting.plots.render import own_defaults, png
from edgeprune.reporting.plots.style import ACCENT, FAINT, INK, PRUNED, canvas, heading, plain

_WIDTH, _HEIGHT = 7.4, 3.6


def plot_curves(title: str, figures: Mapping[str, Any]) -> bytes:
    """Return the picture of a row of the part "curve" as a PNG."""
    with own_defaults():
        return png(_draw(title, figures))


def _draw(title: str, figures: Mapping[str, Any]) -> Canvas:
    figure = canvas(_WIDTH, _HEIGHT)
    axes = figure.add_subplot()
    plain(axes)
    heading(axes, title)
    for side, label, colour, style in (("ours", "edgeprune", PRUNED, "-"), ("stock", "MetaSchedule", ACCENT, "--")):
        _steps(axes, figures[side]["points"], figures[side]["trials"], label, colour, style)
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, place: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("trials, all kernels together")
    axes.set_ylabel("us per inference, the kernels' sum")
    axes.legend(loc="upper right", frameon=False, fontsize=8, labelcolor=INK)
    return figure


def _steps(axes: Axes, points: Sequence[tuple[int, float]], trials: int, label: str, colour: str, style: str) -> None:
    places = [trial for trial, _ in points] + [trials]
    times = [seconds * 1e6 for _, seconds in points]
    axes.step(places, [*times, times[-1]], where="post", color=colour, linestyle=style, linewidth=1.6, label=label)
    axes.annotate(
        f"{times[-1]:.0f}", (trials, times[-1]), color=FAINT, fontsize=8, xytext=(3, 3), textcoords="offset points"
    )
