"""Where an inference spends its time: a bar per step."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from edgeprune.reporting.device import Step, VariantResult
from edgeprune.reporting.model import Report
from edgeprune.reporting.plots.style import INK, VARIANT_COLOUR, Layout, canvas, heading, message, plain
from edgeprune.reporting.quantity import duration

_ROW, _ROW_OF_MANY, _MANY = 0.27, 0.19, 24
_FRAME = 0.75
_LONGEST_NAME, _LONGEST_NARROW_NAME = 34, 20


def draw_steps(report: Report, layout: Layout) -> Canvas:
    """Return a row of bars charts per measured target, one chart per variant, steps from first to last."""
    charts = [
        (target.name, [result for result in target.variants if result.roofline is not None])
        for target in report.targets
    ]
    charts = [(name, results) for name, results in charts if results]
    if not charts:
        return message("No kernel was timed in this run.", layout)
    rows = [[result] for _, results in charts for result in results] if layout.narrow else [r for _, r in charts]
    names = [name for name, results in charts for _ in (results if layout.narrow else [None])]
    heights = [max(_height(result) for result in row) for row in rows]
    figure = canvas(layout.width, sum(heights))
    grid = figure.add_gridspec(len(rows), max(map(len, rows)), height_ratios=heights)
    for number, (name, row) in enumerate(zip(names, rows, strict=True)):
        for column, result in enumerate(row):
            _draw(figure.add_subplot(grid[number, column]), name, result, layout)
    return figure


def _height(result: VariantResult) -> float:
    count = len(_steps(result))
    return _FRAME + count * (_ROW if count < _MANY else _ROW_OF_MANY)


def _draw(axes: Axes, target: str, result: VariantResult, layout: Layout) -> None:
    steps = _steps(result)
    times = [step.time.value or 0.0 for step in steps]
    whole = sum(times) or 1.0
    plain(axes)
    axes.barh(range(len(steps)), times, height=0.7, color=VARIANT_COLOUR[result.variant])
    for row, time in enumerate(times):
        axes.annotate(
            f"{duration(time)}, {time / whole:.0%}",
            (time, row),
            (4, 0),
            textcoords="offset points",
            va="center",
            color=INK,
            fontsize=8,
        )
    axes.set_yticks(range(len(steps)), [_name(step, layout) for step in steps])
    axes.tick_params(axis="y", labelsize=8, labelcolor=INK)
    axes.set_ylim(len(steps) - 0.4, -0.6)
    # Room on the right for the longest bar's figures.
    axes.set_xlim(0, 1.45 * max(times, default=1.0) or 1.0)
    axes.grid(False, axis="y")
    axes.set_xlabel("median (us), share of all steps")
    count = "" if layout.narrow else f" in {len(steps)} steps"
    heading(axes, f"{target}, {result.variant}: {duration(whole)}{count}")


def _steps(result: VariantResult) -> tuple[Step, ...]:
    return result.roofline.steps if result.roofline is not None else ()


def _name(step: Step, layout: Layout) -> str:
    """Return the nodes, which a reader of the network knows, or the kernel where it has none."""
    whole = " + ".join(step.nodes) or step.kernel
    longest = _LONGEST_NARROW_NAME if layout.narrow else _LONGEST_NAME
    return whole if len(whole) <= longest else f"{whole[: longest - 1]}…"
