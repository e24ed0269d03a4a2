"""Which units of which weights go: the same fraction of each layer, or by one ranking over all."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from edgeprune.pruning.criteria import Scores
from edgeprune.pruning.labels import Flags


def lowest(scores: Scores, fraction: float) -> Flags:
    """Return the lowest ``fraction`` of one layer's units: the nearest number, but never the last one."""
    gone = int(np.isneginf(scores).sum())
    count = min(max(int(len(scores) * fraction + 0.5), gone), len(scores) - 1)
    dead = np.zeros(len(scores), dtype=np.bool_)
    dead[np.argsort(scores, kind="stable")[:count]] = True
    return dead


def uniform(scores: Mapping[str, Scores], fraction: float) -> dict[str, Flags]:
    """Return the lowest ``fraction`` of every layer."""
    return {name: lowest(values, fraction) for name, values in scores.items()}


def ranked(scores: Mapping[str, Scores], sizes: Mapping[str, int], fraction: float) -> dict[str, Flags]:
    """Return the lowest units over all layers, until they hold ``fraction`` of all entries, to half a unit.

    A layer's best unit lives, so that none is wiped out. ``sizes`` are the entries of one unit of each layer.
    """
    if not scores:
        return {}
    everything = np.concatenate([_spared(values) for values in scores.values()])
    entries = np.concatenate([np.full(len(values), sizes[name]) for name, values in scores.items()])
    order = np.argsort(everything, kind="stable")
    cumulated = np.cumsum(entries[order])
    count = int(np.searchsorted(cumulated - entries[order] / 2, fraction * cumulated[-1], side="right"))
    free = len(everything) - int(np.isposinf(everything).sum())
    gone = int(np.isneginf(everything).sum())
    dead = np.zeros(len(everything), dtype=np.bool_)
    dead[order[: min(max(count, gone), free)]] = True
    bounds = np.cumsum([len(values) for values in scores.values()])[:-1]
    return dict(zip(scores, np.split(dead, bounds), strict=True))


def _spared(scores: Scores) -> Scores:
    """Put a layer's best unit out of reach."""
    spared = scores.copy()
    spared[int(scores.argmax())] = np.inf
    return spared
