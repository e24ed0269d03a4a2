"""Channels or neurons of each layer before and after pruning."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from edgeprune.reporting.model import Layer, Report
from edgeprune.reporting.plots.style import DENSE, FAINT, INK, PRUNED, Layout, canvas, message, plain

_ROW, _ROW_OF_MANY, _MANY = 0.36, 0.23, 40
_NARROW_NAME = 20


def draw_layers(report: Report, layout: Layout) -> Canvas:
    """Return a bar per layer, what is left over what there was, as a share of the layer's own size."""
    if not report.layers:
        return message("No layer was looked at.", layout)
    row_height = _ROW if len(report.layers) < _MANY else _ROW_OF_MANY
    figure = canvas(layout.width, 0.9 + row_height * len(report.layers))
    axes = figure.add_subplot()
    plain(axes)
    for row, layer in enumerate(report.layers):
        _bar(axes, row, layer)
    names = [_short(layer.name) if layout.narrow else f"{layer.name}  ({layer.kind})" for layer in report.layers]
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(axis="y", labelsize=8.5, labelcolor=INK)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_xlim(0, 100)
    axes.grid(False, axis="y")
    axes.set_xlabel("channels or neurons kept (% of the layer); counts before → after at the right")
    if layout.narrow:
        axes.set_xlabel("channels or neurons kept (%)")
    return figure


def _short(name: str) -> str:
    """Return the end of a dotted name, which tells layers apart better than its beginning."""
    return name if len(name) <= _NARROW_NAME else f"…{name[1 - _NARROW_NAME :]}"


def _bar(axes: Axes, row: int, layer: Layer) -> None:
    before, after = layer.before.value, layer.after.value
    if before is None or after is None:
        axes.text(1, row, layer.before.reason or layer.after.reason or "", va="center", color=FAINT, fontsize=8)
        return
    kept = 100 * after / before if before else 0.0
    axes.barh(row, 100, height=0.62, color=DENSE, alpha=0.3)
    axes.barh(row, kept, height=0.62, color=PRUNED)
    text = f"{before:.0f} → {after:.0f}" + (", pinned" if layer.pinned else "")
    axes.annotate(
        text,
        (1, row),
        (6, 0),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        va="center",
        color=INK,
        fontsize=8.5,
    )
