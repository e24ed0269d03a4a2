"""Accuracy against parameters along the pruning rounds."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from edgeprune.reporting.figure import Figure
from edgeprune.reporting.model import Report
from edgeprune.reporting.plots.style import ACCENT, FAINT, INK, PAPER, PRUNED, Layout, canvas, message, plain, tick
from edgeprune.reporting.quantity import human, share


def draw_accuracy_size(report: Report, layout: Layout) -> Canvas:
    """Return validation accuracy (line) and test accuracy (diamonds) in % over parameters on a log axis."""
    path = _path(report)
    if not path:
        return message("No accuracy is known along the pruning rounds.", layout)
    figure = canvas(layout.width, 3.1 if layout.narrow else 3.6)
    axes = figure.add_subplot()
    plain(axes)
    axes.plot(*zip(*path, strict=True), color=PRUNED, linewidth=1.8, marker="o", markersize=6, label="validation")
    tests = _tests(report)
    if tests:
        axes.plot(
            *zip(*tests, strict=True),
            color=ACCENT,
            linestyle="none",
            marker="D",
            markersize=7,
            markerfacecolor=PAPER,
            markeredgewidth=1.8,
            label="test (read once, at the end)",
        )
    _label_points(axes, path, tests)
    _scale(axes, [accuracy for _, accuracy in path + tests], [parameters for parameters, _ in path])
    # Above the axes: inside, some run's points would lie under it.
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, frameon=False, fontsize=8, labelcolor=FAINT)
    return figure


def _path(report: Report) -> list[tuple[float, float]]:
    figures = [(report.dense.parameters, report.dense.validation.percent)]
    figures += [(step.parameters, step.validation) for step in report.rounds]
    end = (report.pruned.parameters, report.pruned.validation.percent)
    if end[0].value != figures[-1][0].value:
        figures.append(end)
    return _present(figures)


def _tests(report: Report) -> list[tuple[float, float]]:
    return _present([(network.parameters, network.test.percent) for network in (report.dense, report.pruned)])


def _present(pairs: list[tuple[Figure, Figure]]) -> list[tuple[float, float]]:
    return [(x.value, y.value) for x, y in pairs if x.value is not None and y.value is not None]


def _label_points(axes: Axes, path: list[tuple[float, float]], tests: list[tuple[float, float]]) -> None:
    """Write how much is left beside each point, on the side away from a test result of the same network."""
    dense = path[0][0]
    for index, (parameters, accuracy) in enumerate(path):
        text = "dense" if index == 0 else share(parameters / dense)
        below = any(size == parameters and test >= accuracy for size, test in tests)
        axes.annotate(
            text,
            (parameters, accuracy),
            (0, -10 if below else 9),
            textcoords="offset points",
            ha="center",
            va="top" if below else "bottom",
            color=INK,
            fontsize=8.5,
        )


def _scale(axes: Axes, accuracies: list[float], parameters: list[float]) -> None:
    """Run the size axis from large to small, as pruning goes, and keep at least 0.8 points of accuracy in view."""
    axes.set_xscale("log")
    axes.set_xlim(max(parameters) * 1.35, min(parameters) / 1.35)
    middle = (min(accuracies) + max(accuracies)) / 2
    half = max(0.4, 0.75 * (max(accuracies) - min(accuracies)))
    axes.set_ylim(middle - half, middle + half)
    axes.xaxis.set_major_locator(LogLocator(base=10, subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: tick(human(Figure.computed(value, "parameters")))))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("parameters (log scale, fewer to the right)")
    axes.set_ylabel("accuracy (%)")
