"""Colours, sizes and the small habits all pictures share."""

from __future__ import annotations

import re
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.layout_engine import ConstrainedLayoutEngine

from edgeprune.reporting.device import Variant

# From the palette of Okabe and Ito, chosen to differ in lightness as well, so that grey print and all common forms of
# colour blindness keep them apart. Every colour is used for one meaning only: the page swaps them for its own scheme.
INK = "#1b2430"
FAINT = "#5d6875"
GRID = "#dfe3e8"
PAPER = "#ffffff"
DENSE = "#98a3b0"
PRUNED = "#0072b2"
ACCENT = "#d55e00"

VARIANT_COLOUR: dict[Variant, str] = {"dense": DENSE, "pruned": PRUNED}


@dataclass(frozen=True)
class Layout:
    """Where a picture will be seen: ``width`` in inches; a narrow one stacks what a wide one sets side by side."""

    width: float
    narrow: bool


WIDE = Layout(width=9.0, narrow=False)
NARROW = Layout(width=3.7, narrow=True)


def canvas(width: float, height: float) -> Canvas:
    """Return an empty figure of that size in inches."""
    spacing = ConstrainedLayoutEngine(h_pad=0.09, w_pad=0.04)
    return Canvas(figsize=(width, height), facecolor=PAPER, layout=spacing)


def plain(axes: Axes) -> None:
    """Give axes the shared look: no box, a faint grid behind the data, small ticks."""
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(GRID)
    axes.set_facecolor(PAPER)
    axes.grid(True, color=GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(colors=FAINT, labelsize=8, length=0, which="both")
    axes.xaxis.label.set(color=FAINT, fontsize=8.5)
    axes.yaxis.label.set(color=FAINT, fontsize=8.5)


def heading(axes: Axes, text: str) -> None:
    """Set a title flush with the left edge of the axes."""
    axes.set_title(text, loc="left", color=INK, fontsize=9.5, fontweight="bold")


def message(text: str, layout: Layout) -> Canvas:
    """Return a picture that says why there is nothing to show."""
    figure = canvas(layout.width, 1.2)
    figure.text(0.5, 0.5, text, ha="center", va="center", color=FAINT, fontsize=9, wrap=True)
    return figure


def tick(text: str) -> str:
    """Return a tick's label without the zeros that only a measured figure needs: "50.0 k" becomes "50 k"."""
    return re.sub(r"\.0+(?= |$)", "", text)
