"""The roofline: operations per second of each step over its operations per byte, under what the board can do."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from edgeprune.reporting.device import Step, TargetResult
from edgeprune.reporting.figure import Figure
from edgeprune.reporting.model import Report
from edgeprune.reporting.plots.style import (
    ACCENT,
    FAINT,
    INK,
    VARIANT_COLOUR,
    Layout,
    canvas,
    heading,
    message,
    plain,
    tick,
)
from edgeprune.reporting.quantity import human

_HEIGHT = 3.3
# Points: the share of the inference's time decides a point's area, down to one that is still seen.
_SMALLEST, _LARGEST = 14.0, 260.0
_NAMED = 3


def draw_roofline(report: Report, layout: Layout) -> Canvas:
    """Return a chart per measured target; steps without floating-point operations have no place in it."""
    targets = [target for target in report.targets if any(result.roofline for result in target.variants)]
    if not targets:
        return message("No kernel was timed in this run.", layout)
    figure = canvas(layout.width, _HEIGHT * len(targets))
    for number, target in enumerate(targets):
        _draw(figure.add_subplot(len(targets), 1, number + 1), target, layout)
    return figure


def _draw(axes: Axes, target: TargetResult, layout: Layout) -> None:
    plain(axes)
    axes.set_xscale("log")
    axes.set_yscale("log")
    places = []
    for result in target.variants:
        steps = [step for step in (result.roofline.steps if result.roofline is not None else ()) if _place(step)]
        found = [place for step in steps if (place := _place(step)) is not None]
        if not found:
            continue
        times = np.asarray([step.time.value or 0.0 for step in steps])
        areas = np.maximum(_SMALLEST, _LARGEST * times / times.sum())
        across, up = zip(*found, strict=True)
        axes.scatter(across, up, s=areas, color=VARIANT_COLOUR[result.variant], label=result.variant, alpha=0.85)
        if not layout.narrow:
            _name_slowest(axes, steps, found, times)
        places += found
    _draw_roof(axes, target, places, layout)
    wide_label = "operations per byte that must be moved (FLOP/B); area: share of time"
    axes.set_xlabel("operations per byte moved" if layout.narrow else wide_label)
    axes.set_ylabel("achieved (FLOP/s)")
    for axis, unit in ((axes.xaxis, "1"), (axes.yaxis, "FLOP/s")):
        axis.set_major_formatter(FuncFormatter(lambda value, _, unit=unit: _tick(value, unit)))
        axis.set_major_locator(LogLocator(base=10, subs=(1, 2, 5)))
        axis.set_minor_formatter(NullFormatter())
    if places:
        axes.legend(loc="lower right", frameon=False, fontsize=8.5, labelcolor=INK, markerscale=0.5)


def _place(step: Step) -> tuple[float, float] | None:
    flop, moved, rate = step.rate.flop.value, step.rate.bytes.value, step.rate.flop_rate.value
    return (flop / moved, float(rate)) if flop and moved and rate else None


def _name_slowest(axes: Axes, steps: list[Step], places: list[tuple[float, float]], times: np.ndarray) -> None:
    for index in np.argsort(times)[::-1][:_NAMED]:
        label = steps[index].nodes[0] if steps[index].nodes else steps[index].kernel
        axes.annotate(
            label, places[index], (9, -3), textcoords="offset points", color=FAINT, fontsize=7.5, annotation_clip=True
        )


def _draw_roof(axes: Axes, target: TargetResult, places: list[tuple[float, float]], layout: Layout) -> None:
    """Draw what is known of the roof and say what is not."""
    roofline = next(result.roofline for result in target.variants if result.roofline is not None)
    peak, bandwidth = roofline.peak_flop_rate, roofline.peak_byte_rate
    low, high = (edge(place[0] for place in places) if places else 1.0 for edge in (min, max))
    span = np.geomspace(low / 3, high * 3, 200)
    roof = np.full_like(span, np.inf)
    if bandwidth.value is not None:
        roof = np.minimum(roof, bandwidth.value * span)
    if peak.value is not None:
        roof = np.minimum(roof, peak.value)
    if np.isfinite(roof).all():
        axes.plot(span, roof, color=ACCENT, linewidth=1.4)
    known = [text for figure, text in ((peak, human(peak)), (bandwidth, human(bandwidth))) if figure.value is not None]
    says = f"roof of {', '.join(known)}" if known else "no roof known"
    if not layout.narrow:
        says += f", {roofline.origin}" if known else f": {_why(peak, bandwidth)}"
    heading(axes, f"{target.name}: {says}")


def _why(*figures: Figure) -> str:
    return next((figure.reason for figure in figures if figure.reason), "")


def _tick(value: float, unit: str) -> str:
    if unit == "1":
        return f"{value:g}"
    return tick(human(Figure.computed(value, "FLOP/s")))
