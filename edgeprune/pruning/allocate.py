"""How much each group loses: the same everywhere or by one ranking, counted in channels, parameters or MACs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from edgeprune.errors import UserError
from edgeprune.pruning.groups import Group
from edgeprune.pruning.labels import Flags
from edgeprune.pruning.plan import Plan
from edgeprune.pruning.size import Size
from edgeprune.recipe import Prune

Level = Callable[[float], list[int]]
"""From a level between 0 and 1 to the number of sets each group loses; it never falls as the level rises."""

_PASSES = 16
_UNIFORM_SLACK = 0.1


def allocate(
    groups: Sequence[Group], settings: Prune, amount: float, size: Size, set_count: int, original: Plan | None = None
) -> Flags:
    """Return which sets stay so that ``amount`` of the settings' unit goes.

    With unit ``channels`` the amount is a fraction of the channels that can go (of every group, or of all groups
    ranked together); with ``parameters`` and ``macs`` it is a fraction of the whole network's, reached from above as
    nearly as whole channels allow, and where every group is to lose the same fraction, as a tenth of a group's channels
    allows. With ``original``, the plan that made the network out of another, amounts are those
    of that other one. Overrides are fractions of a group's channels at the full amount, in proportion
    at a smaller one.

    Raises:
        UserError: parameters or MACs cannot be reduced that far.
    """
    scale = amount / settings.amount
    level = _uniform(groups, scale) if settings.scope == "uniform" else _ranked(groups, scale)

    def keep_of(counts: Sequence[int]) -> Flags:
        keep = np.ones(set_count, dtype=np.bool_)
        for group, count in zip(groups, counts, strict=True):
            keep[group.order[:count]] = False
        return keep

    if settings.unit == "channels":
        return keep_of(level(amount))
    measure = size.parameters if settings.unit == "parameters" else size.macs
    full = measure(np.ones(set_count, dtype=np.bool_))
    if original is not None:
        full = original.parameters_before if settings.unit == "parameters" else original.macs_before
    most = full - full * amount

    def fits(counts: Sequence[int]) -> bool:
        return measure(keep_of(counts)) <= most

    if not fits(level(1.0)):
        reached = 1 - measure(keep_of(level(1.0))) / full
        raise UserError(
            f"prune.amount: {amount:g} of the {settings.unit} cannot be removed, {reached:.4f} is the most; "
            "ask for less, or loosen min_channels, round_to, exclude or override"
        )
    # Layers that are to lose the same fraction of their channels stay near it.
    slack = _UNIFORM_SLACK if settings.scope == "uniform" else 1.0
    return keep_of(_give_back(groups, _least(level, fits), fits, slack))


def _uniform(groups: Sequence[Group], scale: float) -> Level:
    def level(fraction: float) -> list[int]:
        return [
            group.for_fraction(fraction if group.amount is None else min(group.amount * scale, 1.0)) for group in groups
        ]

    return level


def _ranked(groups: Sequence[Group], scale: float) -> Level:
    """One ranking over all groups without an amount of their own; what is gone already comes first."""
    ranking = sorted(
        (place >= group.gone, float(group.scores[place]), number, place)
        for number, group in enumerate(groups)
        if group.amount is None
        for place in range(len(group.order))
    )
    removed = np.cumsum([0, *(_channels(groups[number], place) for _, _, number, place in ranking)])
    ranked = [group for group in groups if group.amount is None and group.reason is None]
    total, absent = sum(group.total + group.absent for group in ranked), sum(group.absent for group in ranked)

    def level(fraction: float) -> list[int]:
        counts = [0] * len(groups)
        wanted = int(np.searchsorted(removed, fraction * total - absent - 1e-9))
        for _, _, number, _ in ranking[:wanted]:
            counts[number] += 1
        return [
            group.nearest(max(count, group.gone))
            if group.amount is None
            else group.for_fraction(min(group.amount * scale, 1.0))
            for group, count in zip(groups, counts, strict=True)
        ]

    return level


def _channels(group: Group, place: int) -> int:
    return int(group.channels[place + 1] - group.channels[place])


def _least(level: Level, fits: Callable[[Sequence[int]], bool]) -> list[int]:
    """Return the lowest level that fits, by bisection."""
    low, high = 0.0, 1.0
    for _ in range(24):
        middle = (low + high) / 2
        if fits(level(middle)):
            high = middle
        else:
            low = middle
    return level(high)


def _give_back(
    groups: Sequence[Group], counts: list[int], fits: Callable[[Sequence[int]], bool], slack: float
) -> list[int]:
    """Keep more where the amount is still reached: a level moves several layers at once, and some in coarse steps.

    One step per group and pass, so that what is over is spread over the layers; the first always, further ones while a
    group gets back no more than ``slack`` of its sets.
    """
    first = counts
    for number_of_pass in range(_PASSES):
        before = counts
        for number, group in enumerate(groups):
            smaller = group.allowed[group.allowed < counts[number]]
            near = number_of_pass == 0 or (len(smaller) and first[number] - smaller[-1] <= slack * len(group.order))
            if group.amount is None and len(smaller) and near:
                attempt = [*counts[:number], int(smaller[-1]), *counts[number + 1 :]]
                if fits(attempt):
                    counts = attempt
        if counts == before:
            break
    return counts
