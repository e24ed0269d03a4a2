"""How measured latencies are spread: every sample counts, the tail included."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.gridspec import GridSpec
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from edgeprune.reporting.device import TargetResult, VariantResult
from edgeprune.reporting.model import Report
from edgeprune.reporting.plots.style import (
    ACCENT,
    INK,
    VARIANT_COLOUR,
    Layout,
    canvas,
    heading,
    message,
    plain,
    tick,
)
from edgeprune.reporting.quantity import duration

# Over a wider range than this, a tick at every power of ten is enough.
_CROWDED, _CROWDED_NARROW = 2000, 20
_RANGE_HEIGHT, _SHAPE_HEIGHT = 1.25, 1.95
# Beyond this percentile, and beyond so many times the way from p50 to p90, a histogram says in words what there is
# instead of drawing a mostly empty axis.
_SHOWN, _REACH = 99.0, 8.0


def draw_latency(report: Report, layout: Layout) -> Canvas:
    """Return, per measured target, the ranges of all variants on one axis and the shape of each on its own (us)."""
    measured = [(target, results) for target in report.targets if (results := _measured(target))]
    if not measured:
        return message("No latency was measured in this run.", layout)
    heights = [height for _, results in measured for height in _heights(results, layout)]
    figure = canvas(layout.width, sum(heights) + 0.15 * len(heights))
    columns = 1 if layout.narrow else max(len(results) for _, results in measured)
    grid = figure.add_gridspec(len(heights), columns, height_ratios=heights)
    row = 0
    for target, results in measured:
        _draw_target(figure, grid, row, target, results, layout)
        row += len(_heights(results, layout))
    return figure


def _measured(target: TargetResult) -> list[VariantResult]:
    return [result for result in target.variants if result.latency.p50.provenance == "measured"]


def _heights(results: Sequence[VariantResult], layout: Layout) -> list[float]:
    return [_RANGE_HEIGHT, *[_SHAPE_HEIGHT] * (len(results) if layout.narrow else 1)]


def _draw_target(
    figure: Canvas, grid: GridSpec, row: int, target: TargetResult, results: Sequence[VariantResult], layout: Layout
) -> None:
    axes = figure.add_subplot(grid[row, :])
    heading(axes, f"{target.name}: range of all samples, log scale" if layout.narrow else _long_title(target))
    _draw_ranges(axes, results, layout)
    axes.set_xlabel(f"{'' if layout.narrow else 'latency; '}thin: all samples, thick: p1 to p99, tick: median")
    for index, result in enumerate(results):
        place = grid[row + 1 + index, 0] if layout.narrow else grid[row + 1, index]
        _draw_shape(figure.add_subplot(place), result, layout)


def _long_title(target: TargetResult) -> str:
    return f"{target.name}, measured: from the fastest to the slowest sample, on one log scale"


def _draw_ranges(axes: Axes, results: Sequence[VariantResult], layout: Layout) -> None:
    """Draw a thin line from minimum to maximum, a thick one from p1 to p99, and the median."""
    plain(axes)
    for row, result in enumerate(results):
        colour = VARIANT_COLOUR[result.variant]
        low, p1, p50, p99, high = np.percentile(result.latency.samples, (0, 1, 50, 99, 100))
        axes.plot((low, high), (row, row), color=colour, linewidth=1.5)
        axes.plot((p1, p99), (row, row), color=colour, linewidth=9, solid_capstyle="butt")
        axes.plot(p50, row, color=INK, marker="|", markersize=14, markeredgewidth=2)
    axes.set_yticks(range(len(results)), [result.variant for result in results])
    axes.tick_params(axis="y", labelsize=8.5, labelcolor=INK)
    axes.set_ylim(len(results) - 0.4, -0.6)
    axes.grid(False, axis="y")
    axes.set_xscale("log")
    low, high = axes.get_xlim()
    crowded = high / low > (_CROWDED_NARROW if layout.narrow else _CROWDED)
    axes.xaxis.set_major_locator(LogLocator(base=10, subs=(1,) if crowded else (1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: tick(duration(value))))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _draw_shape(axes: Axes, result: VariantResult, layout: Layout) -> None:
    """Draw the histogram up to p99 at most with p50 and p90, and say in words what lies beyond."""
    plain(axes)
    samples = np.asarray(result.latency.samples)
    p50, p90 = result.latency.p50.value or 0.0, result.latency.p90.value or 0.0
    top = min(float(np.percentile(samples, _SHOWN)), max(p50 + _REACH * (p90 - p50), 1.1 * p90))
    shown = samples[samples <= top]
    bins = int(np.clip(np.sqrt(shown.size), 8, 60))
    weights = np.full(shown.shape, 100 / samples.size)
    axes.hist(shown, bins=bins, weights=weights, color=VARIANT_COLOUR[result.variant])
    axes.grid(False, axis="x")
    # Each name stands on the outer side of its line, so that close ones do not overlap.
    for name, value, style, side in (("p50", p50, "-", "right"), ("p90", p90, "--", "left")):
        axes.axvline(value, color=ACCENT, linewidth=1.4, linestyle=style)
        axes.annotate(
            name,
            (value, 0.93),
            (-4 if side == "right" else 4, 0),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            ha=side,
            color=INK,
            fontsize=8,
        )
    heading(axes, f"{result.variant}: p50 {duration(p50)}, p90 {duration(p90)}")
    beyond = samples.size - shown.size
    tail = f"; {beyond / samples.size:.1%} slower, up to {duration(float(samples.max()))}" if beyond else ""
    drawn = f" ({samples.size:,} drawn)" if samples.size < result.latency.taken else ""
    apart = "\n" if layout.narrow else ", "
    axes.set_xlabel(f"latency (us){apart}n = {result.latency.taken:,}{drawn}{tail}")
    axes.margins(y=0.15)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.set_ylabel("samples (%)")
