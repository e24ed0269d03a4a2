"""Single weights: masks without structure."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edgeprune.errors import UserError
from edgeprune.progress import Progress, SilentProgress
from edgeprune.pruning.criteria import Batch, Scores
from edgeprune.pruning.criteria.han import choose_qualities
from edgeprune.pruning.criteria.taylor import gradient_products
from edgeprune.pruning.groups import must_match
from edgeprune.pruning.masks import Masks
from edgeprune.pruning.nothing import NothingToRemove
from edgeprune.pruning.prunable import layer_of, prunable_weights
from edgeprune.pruning.scope import relative
from edgeprune.pruning.sensitivity import Measure, sensitivity_scan, spread
from edgeprune.recipe import Prune

_CRITERIA = ("l1", "l2", "han", "taylor", "random")
Ranked = dict[str, Scores]


def weight_masks(
    model: nn.Module,
    settings: Prune,
    amount: float | None = None,
    *,
    reference: Masks | None = None,
    calibration: Iterable[Batch] | None = None,
    measure: Measure | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Masks:
    """Return masks that hold ``amount`` of the weights at zero.

    Weights are the parameters with two axes or more, outside normalisations and embeddings. ``l1`` and ``l2`` rank by
    magnitude, ``taylor`` by (gradient x weight)^2, ``random`` by the seed. With scope ``uniform`` every layer loses the
    same fraction, with ``local`` what is below one common multiple of its layer's root mean square, with ``global``
    one ranking over all decides; in all of them at least one weight of every layer lives. The amount refers to all
    weights as given, and what ``reference`` holds at zero stays there.

    ``han`` cuts every layer off at its own quality x standard deviation, the qualities chosen together by
    ``sensitivity_scan`` with ``measure`` (see ``criteria.han``); overridden layers lose their own fraction instead.

    Raises:
        UserError: the criterion cannot judge single weights, the unit is ``macs``, a pattern matches no layer, or no
            weight would be held at zero.
    """
    if settings.criterion not in _CRITERIA:
        raise UserError(
            f"prune.criterion: {settings.criterion!r} cannot judge single weights; use {', '.join(_CRITERIA)}"
        )
    if settings.unit == "macs":
        raise UserError("prune.unit: 'macs' does not apply to single weights; use 'parameters'")
    amount = settings.amount if amount is None else amount
    parameters = prunable_weights(model)
    layers = {name: layer_of(name) for name in parameters}
    for key, patterns in (("exclude", settings.exclude), ("override", [entry.pattern for entry in settings.override])):
        for pattern in patterns:
            must_match(f"prune.{key}", pattern, list(layers.values()))
    free = [name for name in parameters if not _matches(layers[name], settings.exclude)]
    if not free:
        raise UserError("prune.exclude: every layer with weights is excluded, so that nothing can be held at zero")
    scores = _scores(model, {name: parameters[name] for name in free}, settings, calibration, seed)
    for name in scores:
        if reference is not None and name in reference:
            scores[name] = np.where(reference[name].numpy().ravel(), scores[name], -1.0)
    own = _own_amounts(free, layers, settings, amount)
    if settings.criterion == "han":
        dead = _han(model, scores, own, amount, measure, progress or SilentProgress())
    else:
        if settings.scope == "local":
            scores = {name: relative(values, values >= 0) for name, values in scores.items()}
        dead = _uniform(scores, own, amount) if settings.scope == "uniform" else _global(scores, own, amount)
    if not any(flags.any() for flags in dead.values()):
        raise NothingToRemove("prune: the amount is too small to hold a single weight at zero; ask for more")
    return Masks({name: torch.from_numpy(~flags).reshape(parameters[name].shape) for name, flags in dead.items()})


def _matches(layer: str, patterns: list[str]) -> bool:
    return any(fnmatchcase(layer, pattern) for pattern in patterns)


def _scores(
    model: nn.Module,
    parameters: dict[str, nn.Parameter],
    settings: Prune,
    calibration: Iterable[Batch] | None,
    seed: int,
) -> Ranked:
    if settings.criterion == "taylor":
        batches = tuple(calibration or ())
        if not batches:
            raise UserError("prune.criterion 'taylor' looks at data: give it calibration batches")
        products = gradient_products(model, batches)
        return {name: products[name].ravel() for name in parameters}
    if settings.criterion == "random":
        generator = np.random.default_rng(seed)
        return {name: generator.random(parameter.numel()) for name, parameter in parameters.items()}
    return {name: _magnitude(parameter) for name, parameter in parameters.items()}


def _magnitude(parameter: Tensor) -> Scores:
    return np.asarray(parameter.detach().abs().double().cpu().numpy().ravel(), dtype=np.float64)


def _own_amounts(names: list[str], layers: dict[str, str], settings: Prune, amount: float) -> dict[str, float]:
    """Return the overridden layers' fractions, in proportion when the amount is not yet the settings' own."""
    own: dict[str, float] = {}
    for name in names:
        for override in settings.override:
            if fnmatchcase(layers[name], override.pattern):
                own.setdefault(name, override.amount * amount / settings.amount)
    return own


def _lowest(scores: Scores, count: int) -> NDArray[np.bool_]:
    dead = np.zeros(len(scores), dtype=np.bool_)
    dead[np.argsort(scores, kind="stable")[:count]] = True
    return dead


def _share(scores: Scores, amount: float) -> int:
    """Return how many weights go: the nearest number, but never those gone already fewer, nor the last one."""
    return min(max(int(len(scores) * amount + 0.5), int((scores < 0).sum())), len(scores) - 1)


def _uniform(scores: Ranked, own: dict[str, float], amount: float) -> dict[str, NDArray[np.bool_]]:
    return {name: _lowest(values, _share(values, own.get(name, amount))) for name, values in scores.items()}


def _global(scores: Ranked, own: dict[str, float], amount: float) -> dict[str, NDArray[np.bool_]]:
    dead = {name: _lowest(scores[name], _share(scores[name], fraction)) for name, fraction in own.items()}
    ranked = [name for name in scores if name not in own]
    if not ranked:
        return dead
    everything = np.concatenate([_spared(scores[name]) for name in ranked])
    flags = _lowest(everything, _share(everything, amount))
    bounds = np.cumsum([len(scores[name]) for name in ranked])[:-1]
    dead.update(zip(ranked, np.split(flags, bounds), strict=True))
    return {name: dead[name] for name in scores}


def _han(
    model: nn.Module,
    scores: Ranked,
    own: dict[str, float],
    amount: float,
    measure: Measure | None,
    progress: Progress,
) -> dict[str, NDArray[np.bool_]]:
    """Return what is below the thresholds; a score below zero is a weight gone already."""
    if measure is None:
        raise UserError("prune.criterion 'han' scans how sensitive each layer is: give it a measure, such as accuracy")
    dead = {name: _lowest(scores[name], _share(scores[name], fraction)) for name, fraction in own.items()}
    ranked = [name for name in scores if name not in own]
    if not ranked:
        return dead
    parameters = prunable_weights(model)
    held = Masks({name: torch.from_numpy(scores[name] >= 0).reshape(parameters[name].shape) for name in ranked})
    layers = [layer_of(name) for name in ranked]
    curves = sensitivity_scan(model, measure, layers=layers, reference=held, progress=progress)
    spreads = {name: spread(parameters[name], scores[name] >= 0) for name in ranked}
    qualities = choose_qualities(curves, spreads, amount)
    for name, quality in qualities.items():
        dead[name] = spreads[name].dead(quality)
        progress.note(f"{layer_of(name)}: quality {quality:.3f}, {dead[name].mean():.1%} pruned")
    return {name: dead[name] for name in scores}


def _spared(scores: Scores) -> Scores:
    """Put a layer's best weight out of reach, so that no layer is wiped out."""
    spared = scores.copy()
    spared[int(scores.argmax())] = np.inf
    return spared
