"""How much each layer's thresholds cost: one layer at a time, everything else left alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from edgeprune.errors import UserError
from edgeprune.progress import Progress, SilentProgress
from edgeprune.pruning.masks import Masks
from edgeprune.pruning.prunable import layer_of, prunable_weights

Measure = Callable[[nn.Module], float]
QUALITIES = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0)


@dataclass(frozen=True)
class Spread:
    """A layer's weights as thresholds see them: magnitudes (flat, float64), which still live, their deviation."""

    magnitudes: NDArray[np.float64]
    live: NDArray[np.bool_]
    deviation: float

    @property
    def largest_quality(self) -> float:
        """The quality at which only the largest weight lives; 0 where all live weights are the same."""
        return float(self.magnitudes[self.live].max()) / self.deviation if self.deviation > 0 else 0.0

    def dead(self, quality: float) -> NDArray[np.bool_]:
        """Return which weights are held at zero: those already, and those below ``quality`` x deviation."""
        return ~self.live | (self.magnitudes < quality * self.deviation)


@dataclass(frozen=True)
class Point:
    """What is measured with the threshold at ``quality``; ``pruned`` is the fraction of all the layer's weights."""

    quality: float
    pruned: float
    value: float


@dataclass(frozen=True)
class LayerCurve:
    """The points of one layer by rising quality, the first of them at 0, with everything as it was."""

    layer: str
    parameter: str
    deviation: float
    points: tuple[Point, ...]


def spread(parameter: nn.Parameter, live: NDArray[np.bool_] | None = None) -> Spread:
    """Return a weight's spread; the deviation (of the population) is that of the weights that live."""
    values = parameter.detach().double().cpu().numpy().ravel()
    live = np.ones(len(values), dtype=np.bool_) if live is None else live
    return Spread(np.abs(values), live, float(values[live].std()) if live.any() else 0.0)


def sensitivity_scan(
    model: nn.Module,
    measure: Measure,
    *,
    layers: Sequence[str] | None = None,
    qualities: Sequence[float] = QUALITIES,
    reference: Masks | None = None,
    progress: Progress | None = None,
) -> tuple[LayerCurve, ...]:
    """Measure the network with one layer at a time cut off at quality x standard deviation of its weights.

    The sensitivity scan of Han, Pool, Tran, Dally, "Learning both weights and connections for efficient neural
    networks" (2015), section 4. ``measure`` gives a figure that is better when larger, such as the accuracy on a
    validation split; ``layers`` are names of layers (default: all with weights to prune); what ``reference`` holds at
    zero stays there. A layer's last point leaves its largest weight alone. The model is left as it was, bit for bit.

    >>> curves = sensitivity_scan(model, lambda network: evaluate(network, validation).fraction)  # doctest: +SKIP

    Raises:
        UserError: a layer is not one of the network's, or a quality is not positive.
    """
    progress = progress or SilentProgress()
    parameters = {layer_of(name): (name, parameter) for name, parameter in prunable_weights(model).items()}
    chosen = list(parameters) if layers is None else list(layers)
    for layer in chosen:
        if layer not in parameters:
            raise UserError(f"sensitivity scan: no layer {layer!r} with weights; there are {', '.join(parameters)}")
    if any(quality <= 0 for quality in qualities):
        raise UserError(f"sensitivity scan: qualities must be positive, not {min(qualities):g}")
    start = measure(model)
    progress.stage("sensitivity", len(chosen))
    curves = []
    for layer in chosen:
        name, parameter = parameters[layer]
        held = reference[name].numpy().ravel() if reference is not None and name in reference else None
        found = spread(parameter, held)
        points = _points(model, parameter, found, sorted(qualities), start, measure)
        curves.append(LayerCurve(layer, name, found.deviation, points))
        progress.advance(_line(curves[-1]))
    return tuple(curves)


@torch.no_grad()
def _points(
    model: nn.Module, parameter: nn.Parameter, found: Spread, qualities: list[float], start: float, measure: Measure
) -> tuple[Point, ...]:
    points = [Point(0.0, float((~found.live).mean()), start)]
    last = found.largest_quality
    before = parameter.detach().clone()
    try:
        for quality in [*(quality for quality in qualities if quality < last), last] if last else []:
            dead = found.dead(quality)
            parameter.masked_fill_(torch.from_numpy(dead).reshape(parameter.shape).to(parameter.device), 0)
            points.append(Point(quality, float(dead.mean()), measure(model)))
    finally:
        parameter.copy_(before)
    return tuple(points)


def _line(curve: LayerCurve) -> str:
    shown = ", ".join(f"{point.pruned:.0%}: {point.value:.4f}" for point in curve.points)
    return f"{curve.layer}: {shown}"
