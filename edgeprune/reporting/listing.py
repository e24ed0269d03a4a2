"""Every figure of a report as one flat list, and that list as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from edgeprune.reporting.device import Parity, Rate, TargetResult, VariantResult
from edgeprune.reporting.figure import Figure
from edgeprune.reporting.headline import accuracy_change, headline
from edgeprune.reporting.model import Report

Section: TypeAlias = Literal[
    "network", "target", "headline", "budget", "epoch", "round", "layer", "kernel", "choice", "step", "parity", "stage"
]

_COLUMNS = ("section", "target", "variant", "item", "figure", "value", "unit", "provenance", "reason")


@dataclass(frozen=True)
class NamedFigure:
    """A figure and where it belongs; ``item`` is the layer, kernel, border, round or epoch, empty elsewhere."""

    section: Section
    target: str
    variant: str
    item: str
    name: str
    figure: Figure


def named_figures(report: Report) -> Iterator[NamedFigure]:
    """Yield every figure of the report, those of the whole network first."""
    for variant, network in (("dense", report.dense), ("pruned", report.pruned)):
        yield NamedFigure("network", "", variant, "", "test accuracy", network.test.percent)
        yield NamedFigure("network", "", variant, "", "validation accuracy", network.validation.percent)
        yield NamedFigure("network", "", variant, "", "parameters", network.parameters)
        yield NamedFigure("network", "", variant, "", "MACs", network.macs)
    yield from _headline(report)
    for line in report.budget:
        yield NamedFigure("budget", line.target, "pruned", line.name, "allowed", line.allowed)
        yield NamedFigure("budget", line.target, "pruned", line.name, "taken", line.taken)
    for target in report.targets:
        for result in target.variants:
            for name, figure in target_figures(result):
                yield NamedFigure("target", target.name, result.variant, "", name, figure)
            yield from _details(target, result)
        if target.latency_ratio is not None:
            name = "latency in turns, pruned/dense"
            yield NamedFigure("target", target.name, "", "", name, target.latency_ratio.ratio)
    yield from _parity(report.parity, "", "")
    yield from _history(report)


def target_figures(result: VariantResult) -> Iterator[tuple[str, Figure]]:
    """Yield the figures of one variant on one target, by name, without those of its kernels and borders."""
    yield "test accuracy", result.accuracy.percent
    yield "parameters", result.parameters
    yield "MACs", result.macs
    yield "weight bytes", result.weight_bytes
    yield "executable bytes", result.executable_bytes
    yield "code bytes", result.code_bytes
    yield "arena bytes", result.arena_bytes
    yield "arena lower bound", result.arena_bound_bytes
    yield "latency p50", result.latency.p50
    yield "latency p90", result.latency.p90
    yield "latency p99", result.latency.p99
    yield "latency, five windows", result.latency.windows
    if result.roofline is not None:
        yield "peak FLOP/s", result.roofline.peak_flop_rate
        yield "peak B/s", result.roofline.peak_byte_rate
        yield from rate_figures(result.roofline.total)
    yield "instructions", result.instructions
    for kind, figure in result.mix.items():
        yield f"instructions, {kind}", figure
    if result.cycles is not None:
        yield "cycles", result.cycles.value
        yield "cycles, low", result.cycles.low
        yield "cycles, high", result.cycles.high
        yield "time of the cycles", result.cycles.time


def rate_figures(rate: Rate) -> Iterator[tuple[str, Figure]]:
    """Yield the figures of what was done in a time, by name."""
    yield "FLOP", rate.flop
    yield "bytes moved at least", rate.bytes
    yield "FLOP/s", rate.flop_rate
    yield "FLOP/s of the peak", rate.flop_fraction
    yield "B/s", rate.byte_rate
    yield "B/s of the peak", rate.byte_fraction


def to_csv(report: Report) -> str:
    """Return one row per figure: section, target, variant, item, figure, value, unit, provenance, reason.

    Values are written in full (``repr``); absent ones are empty and have a reason.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for row in named_figures(report):
        figure = row.figure
        value = "" if figure.value is None else repr(figure.value)
        place = (row.section, row.target, row.variant, row.item, row.name)
        writer.writerow((*place, value, figure.unit, figure.provenance or "", figure.reason or ""))
    return text.getvalue()


def _headline(report: Report) -> Iterator[NamedFigure]:
    yield NamedFigure("headline", "", "", "", "test accuracy change", accuracy_change(report))
    for ratio in headline(report):
        yield NamedFigure("headline", ratio.target or "", "", "", f"{ratio.name}, pruned/dense", ratio.ratio)


def _details(target: TargetResult, result: VariantResult) -> Iterator[NamedFigure]:
    for kernel in result.kernels:
        yield NamedFigure("kernel", target.name, result.variant, kernel.name, "trials", kernel.trials)
        yield NamedFigure("kernel", target.name, result.variant, kernel.name, "best time", kernel.best)
    for choice in result.choices:
        yield NamedFigure("choice", target.name, result.variant, choice.name, "time", choice.time)
        yield NamedFigure("choice", target.name, result.variant, choice.name, "over the baseline", choice.ratio)
    for number, step in enumerate(result.roofline.steps if result.roofline is not None else ()):
        item = f"{number}: {step.kernel}"
        yield NamedFigure("step", target.name, result.variant, item, "time", step.time)
        for name, figure in rate_figures(step.rate):
            yield NamedFigure("step", target.name, result.variant, item, name, figure)
    yield from _parity(result.parity, target.name, result.variant)


def _parity(rows: tuple[Parity, ...], target: str, variant: str) -> Iterator[NamedFigure]:
    for row in rows:
        yield NamedFigure("parity", target, variant, row.border, "relative error", row.relative_error)


def _history(report: Report) -> Iterator[NamedFigure]:
    for epoch in report.epochs:
        yield NamedFigure("epoch", "", "dense", str(epoch.epoch), "training loss", epoch.loss)
        yield NamedFigure("epoch", "", "dense", str(epoch.epoch), "validation accuracy", epoch.validation)
    for step in report.rounds:
        yield NamedFigure("round", "", "pruned", str(step.round), "compression ratio", step.ratio)
        yield NamedFigure("round", "", "pruned", str(step.round), "parameters", step.parameters)
        yield NamedFigure("round", "", "pruned", str(step.round), "validation accuracy", step.validation)
    for layer in report.layers:
        yield NamedFigure("layer", "", "dense", layer.name, "channels", layer.before)
        yield NamedFigure("layer", "", "pruned", layer.name, "channels", layer.after)
    for stage in report.stages:
        yield NamedFigure("stage", "", "", stage.name, "duration", stage.seconds)
