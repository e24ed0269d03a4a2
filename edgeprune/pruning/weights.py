"""Single weights, and rows and columns of them: masks without structure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

import numpy as np
import torch
from torch import nn

from edgeprune.errors import UserError
from edgeprune.progress import Progress, SilentProgress
from edgeprune.pruning.coupling import Coupling
from edgeprune.pruning.criteria import Batch, Scores
from edgeprune.pruning.criteria.han import choose_qualities
from edgeprune.pruning.densities import with_amounts
from edgeprune.pruning.groups import must_match
from edgeprune.pruning.labels import Flags
from edgeprune.pruning.masks import Masks
from edgeprune.pruning.nothing import NothingToRemove
from edgeprune.pruning.prunable import layer_of, prunable_weights
from edgeprune.pruning.scope import relative
from edgeprune.pruning.sensitivity import Measure, sensitivity_scan, spread
from edgeprune.pruning.units import Units, units_of
from edgeprune.pruning.weight_scopes import lowest, ranked, uniform
from edgeprune.pruning.weight_scores import GONE, WeightCriterion, WeightEvidence, score_units
from edgeprune.recipe import Prune


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
    criterion: WeightCriterion | None = None,
    coupling: Coupling | None = None,
) -> Masks:
    """Return masks that hold ``amount`` of the weights at zero, one by one or as whole rows or columns.

    Weights are the parameters with two axes or more, outside normalisations and embeddings. ``l1`` and ``l2`` rank by
    magnitude, ``taylor`` by (gradient x weight)^2, ``random`` by the seed; ``criterion`` replaces the settings' by a
    function of the ``WeightEvidence``. With scope ``uniform`` every layer loses the same fraction, with ``local`` what
    is below one common multiple of its layer's root mean square, with ``global`` one ranking over all decides; in all
    of them something of every layer lives. The amount refers to all weights as given, and what ``reference`` holds at
    zero stays there. ``coupling`` tells for rows which of them make the network's outputs, and these stay.

    ``han`` cuts every layer off at its own quality x standard deviation, the qualities chosen together by
    ``sensitivity_scan`` with ``measure`` (see ``criteria.han``); overridden layers lose their own fraction instead.

    Raises:
        NothingToRemove: the amount is too small for a single unit.
        UserError: the criterion cannot judge single weights, the unit is ``macs``, a pattern matches no layer, or all
            layers are excluded.
    """
    if settings.unit == "macs":
        raise UserError("prune.unit: 'macs' does not apply to single weights; use 'parameters'")
    settings = with_amounts(settings)
    amount = settings.amount if amount is None else amount
    free = _free(model, settings, coupling)
    units = {name: units_of(_module(model, name), value, settings.granularity) for name, value in free.items()}
    scores = score_units(
        criterion or settings.criterion, WeightEvidence(model, free, tuple(calibration or ()), seed), units
    )
    for name, mask in (reference or {}).items():
        if name in scores:
            scores[name] = np.where(units[name].gone(mask), GONE, scores[name])
    own = _own_amounts(free, settings, amount)
    dead = {name: lowest(scores[name], fraction) for name, fraction in own.items()}
    rest = {name: values for name, values in scores.items() if name not in own}
    if settings.criterion == "han" and criterion is None:
        dead |= _han(model, rest, amount, measure, progress or SilentProgress())
    else:
        dead |= _by_scope(rest, units, settings.scope, amount)
    if not any(flags.any() for flags in dead.values()):
        raise NothingToRemove("prune: the amount is too small to hold a single weight at zero; ask for more")
    return _masks({name: units[name] for name in scores}, dead, reference)


def _module(model: nn.Module, name: str) -> nn.Module:
    return model.get_submodule(name.rpartition(".")[0])


def _free(model: nn.Module, settings: Prune, coupling: Coupling | None) -> dict[str, nn.Parameter]:
    """Return the weights that may go, by name."""
    parameters = prunable_weights(model)
    layers = [layer_of(name) for name in parameters]
    for key, patterns in (("exclude", settings.exclude), ("override", [entry.pattern for entry in settings.override])):
        for pattern in patterns:
            must_match(f"prune.{key}", pattern, layers)
    free = {name: value for name, value in parameters.items() if not _matches(layer_of(name), settings.exclude)}
    if settings.granularity == "row":
        if coupling is None:
            raise UserError("prune.granularity 'row': give coupling=trace_coupling(model, inputs), to know the outputs")
        last = {axis.name for axis in coupling.axes if axis.role == "producer" and axis.reason == "network output"}
        free = {name: value for name, value in free.items() if name not in last}
    if not free:
        raise UserError("prune.exclude: every layer with weights is excluded, so that nothing can be held at zero")
    return free


def _matches(layer: str, patterns: list[str]) -> bool:
    return any(fnmatchcase(layer, pattern) for pattern in patterns)


def _own_amounts(names: Iterable[str], settings: Prune, amount: float) -> dict[str, float]:
    """Return the overridden layers' fractions, in proportion when the amount is not yet the settings' own."""
    own: dict[str, float] = {}
    for name in names:
        for override in settings.override:
            if fnmatchcase(layer_of(name), override.pattern):
                own.setdefault(name, override.amount * amount / settings.amount)
    return own


def _by_scope(scores: dict[str, Scores], units: Mapping[str, Units], scope: str, amount: float) -> dict[str, Flags]:
    if scope == "uniform":
        return uniform(scores, amount)
    if scope == "local":
        scores = {name: relative(values, np.isfinite(values)) for name, values in scores.items()}
    return ranked(scores, {name: units[name].size for name in scores}, amount)


def _masks(units: Mapping[str, Units], dead: Mapping[str, Flags], reference: Masks | None) -> Masks:
    masks = {name: own.mask(dead[name]) for name, own in units.items()}
    for name in masks:
        if reference is not None and name in reference:
            masks[name] &= reference[name]
    return Masks(masks)


def _han(
    model: nn.Module, scores: dict[str, Scores], amount: float, measure: Measure | None, progress: Progress
) -> dict[str, Flags]:
    """Return what is below the thresholds."""
    if measure is None:
        raise UserError("prune.criterion 'han' scans how sensitive each layer is: give it a measure, such as accuracy")
    if not scores:
        return {}
    parameters = prunable_weights(model)
    live = {name: np.isfinite(values) for name, values in scores.items()}
    held = Masks({name: torch.from_numpy(live[name]).reshape(parameters[name].shape) for name in scores})
    layers = [layer_of(name) for name in scores]
    curves = sensitivity_scan(model, measure, layers=layers, reference=held, progress=progress)
    spreads = {name: spread(parameters[name], live[name]) for name in scores}
    dead = {}
    for name, quality in choose_qualities(curves, spreads, amount).items():
        dead[name] = spreads[name].dead(quality)
        progress.note(f"{layer_of(name)}: quality {quality:.3f}, {dead[name].mean():.1%} pruned")
    return dead
