"""Test error against compression: a line per arm with deviations, both axes logarithmic."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from PIL import Image

from edgeprune.reporting.plots.render import own_defaults, png
from edgeprune.reporting.plots.style import FAINT, INK, canvas, heading, plain

# Okabe and Ito's palette without its yellow, which a white page swallows; a marker each, for grey print.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000", "#98a3b0")
_MARKERS = "os^Dv<>P"
_WIDTH, _HEIGHT = 7.4, 4.9
_ERRORS = (0.5, 0.6, 0.8, 1, 1.2, 1.5, 2, 3, 4, 5, 7, 10, 15, 20, 30, 50, 90)
_ROOM = 1.12
_PALETTE = 96


def plot_study(document: Mapping[str, Any]) -> bytes:
    """Return the study's picture as a PNG of few colours, which makes it a quarter as large."""
    with own_defaults():
        drawn = png(_draw(document))
    buffer = io.BytesIO()
    with Image.open(io.BytesIO(drawn)) as picture:
        few = picture.convert("RGB").quantize(_PALETTE, dither=Image.Dither.NONE)
    few.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def _draw(document: Mapping[str, Any]) -> Canvas:
    figure = canvas(_WIDTH, _HEIGHT)
    axes = figure.add_subplot()
    plain(axes)
    arms = list(dict.fromkeys(row["arm"] for row in document["summary"]))
    ratios = sorted({row["ratio"] for row in document["summary"] if row["ratio"] is not None})
    for number, arm in enumerate(arms):
        rows = [row for row in document["summary"] if row["arm"] == arm]
        if ratios and rows[0]["ratio"] is None:
            _band(axes, rows[0], ratios, number)
        else:
            _line(axes, rows, number, len(arms))
    _scales(axes, document["summary"], ratios)
    count = len(document["study"]["seeds"])
    heading(axes, document["study"]["title"])
    axes.set_ylabel(f"test error (%), mean and deviation over {count} seeds" if count > 1 else "test error (%)")
    axes.set_xlabel(document["axis"])
    figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=8, labelcolor=INK)
    return figure


def _line(axes: Axes, rows: Sequence[Mapping[str, Any]], number: int, count: int) -> None:
    # Arms stand a little apart, so that error bars at the same ratio do not hide each other.
    apart = 1 + 0.022 * (number - (count - 1) / 2)
    places = [(row["ratio"] or row["compression"]) * apart for row in rows]
    axes.errorbar(
        places,
        [row["test_error"]["mean"] for row in rows],
        yerr=[_deviation(row) for row in rows],
        color=_COLOURS[number % len(_COLOURS)],
        marker=_MARKERS[number % len(_MARKERS)],
        markersize=4,
        linewidth=1.3,
        capsize=2.5,
        label=rows[0]["arm"],
    )


def _band(axes: Axes, row: Mapping[str, Any], ratios: Sequence[float], number: int) -> None:
    """Draw an arm that belongs to no ratio across all of them."""
    colour, mean, deviation = _COLOURS[number % len(_COLOURS)], row["test_error"]["mean"], _deviation(row)
    axes.axhline(mean, color=colour, linewidth=1.1, linestyle="--", label=row["arm"])
    axes.axhspan(mean - deviation, mean + deviation, color=colour, alpha=0.12, linewidth=0)


def _deviation(row: Mapping[str, Any]) -> float:
    """Return the deviation over seeds; a single seed has none to draw."""
    return float(row["test_error"]["deviation"] or 0.0)


def _scales(axes: Axes, rows: Sequence[Mapping[str, Any]], ratios: Sequence[float]) -> None:
    axes.set_yscale("log")
    lowest = min(row["test_error"]["mean"] - _deviation(row) for row in rows)
    highest = max(row["test_error"]["mean"] + _deviation(row) for row in rows)
    axes.set_ylim(max(lowest, 0.05) / _ROOM, highest * _ROOM)
    axes.yaxis.set_major_locator(FixedLocator(_ERRORS))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_xscale("log", base=2)
    marks = ratios or sorted({round(row["compression"], 1) for row in rows})
    axes.xaxis.set_major_locator(FixedLocator(marks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.3g}x"))
    axes.tick_params(labelcolor=FAINT)
