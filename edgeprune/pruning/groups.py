"""Groups of layers that share coupled sets, and the order in which a group may lose them."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np

from edgeprune.errors import UserError
from edgeprune.pruning.coupling import KEPT, Coupling, ParameterAxis
from edgeprune.pruning.criteria import Scores
from edgeprune.pruning.labels import Flags, Indices
from edgeprune.recipe import Prune


@dataclass(frozen=True)
class Group:
    """The sets some layers have in common.

    ``order`` lists the sets that may go, the least important first and those that are gone already before all others
    (``gone`` of them); ``channels[k]`` is how many channels the first ``k`` of them are, out of ``total``. ``absent``
    channels were taken out of the network's original before, which amounts then refer to. ``allowed`` are the ``k``
    that leave every layer a multiple of ``round_to``, ``rounding`` says which of them is taken. ``amount`` is the
    group's own, if any.
    """

    layers: tuple[str, ...]
    order: Indices
    scores: Scores
    channels: Indices
    total: int
    gone: int
    absent: float
    allowed: Indices
    rounding: str
    amount: float | None
    reason: str | None
    note: str | None

    def nearest(self, count: int) -> int:
        """Return the allowed number of sets nearest to ``count``; of two as near, the one that keeps more.

        With ``rounding`` ``up`` the nearest that keeps at least as much, with ``down`` at most; where there is none,
        the nearest of all.
        """
        allowed = self.allowed
        if self.rounding == "up" and (allowed <= count).any():
            allowed = allowed[allowed <= count]
        elif self.rounding == "down" and (allowed >= count).any():
            allowed = allowed[allowed >= count]
        return int(allowed[np.abs(allowed - count).argmin()])

    def for_fraction(self, fraction: float) -> int:
        """Return the allowed number of sets whose channels come nearest to ``fraction`` of the original group's."""
        wanted = int(np.abs(self.channels - (fraction * (self.total + self.absent) - self.absent)).argmin())
        return self.nearest(max(wanted, self.gone))


def make_groups(
    coupling: Coupling, scores: Scores, settings: Prune, removed: Flags, original: Mapping[str, int] | None = None
) -> list[Group]:
    """Return the network's groups under the settings' patterns and floors; ``removed`` says which sets are gone.

    ``original`` are the channels each layer had before an earlier pruning took some out of the network altogether.

    Raises:
        UserError: a pattern matches no layer.
    """
    layers = [coupling.layer(axis) for axis in coupling.makers()]
    for key, patterns in (("exclude", settings.exclude), ("override", [entry.pattern for entry in settings.override])):
        for pattern in patterns:
            must_match(f"prune.{key}", pattern, layers)
    occurrences = _occurrences(coupling)
    return [
        _make_group(
            coupling, members, scores, settings, removed, [occurrences[index] for index in touched], original or {}
        )
        for members, touched in zip(coupling.groups, _touched(coupling, occurrences), strict=True)
    ]


def must_match(key: str, pattern: str, layers: list[str]) -> None:
    """Raise a ``UserError`` that names the nearest layers if ``pattern`` matches none."""
    if any(fnmatchcase(layer, pattern) for layer in layers):
        return
    near = difflib.get_close_matches(pattern, layers, n=3, cutoff=0.3) or layers[:3]
    raise UserError(f"{key}: pattern {pattern!r} matches no layer; the nearest are {', '.join(near)}")


@dataclass(frozen=True)
class _Occurrence:
    """An axis, the sets on it, and how many of its indices each has."""

    axis: ParameterAxis
    sets: Indices
    members: Indices
    kept: int


def _occurrences(coupling: Coupling) -> list[_Occurrence]:
    found = []
    for axis in coupling.axes:
        sets, members = np.unique(axis.sets[axis.sets != KEPT], return_counts=True)
        if len(sets):
            found.append(_Occurrence(axis, sets, members, len(axis.sets) - int(members.sum())))
    return found


def _touched(coupling: Coupling, occurrences: list[_Occurrence]) -> list[list[int]]:
    """Return for every group the occurrences its sets are in."""
    group_of = np.zeros(coupling.set_count, dtype=np.int64)
    for number, members in enumerate(coupling.groups):
        group_of[members] = number
    touched: list[list[int]] = [[] for _ in coupling.groups]
    for index, occurrence in enumerate(occurrences):
        for number in np.unique(group_of[occurrence.sets]).tolist():
            touched[number].append(index)
    return touched


def _make_group(
    coupling: Coupling,
    members: Indices,
    scores: Scores,
    settings: Prune,
    removed: Flags,
    occurrences: list[_Occurrence],
    original: Mapping[str, int],
) -> Group:
    makers = {(axis.name, axis.axis) for axis in coupling.makers()}
    own = [entry for entry in occurrences if (entry.axis.name, entry.axis.axis) in makers]
    layers = tuple(dict.fromkeys(coupling.layer(entry.axis) for entry in own))
    reason = next(
        (f"excluded by {pattern!r}" for pattern in settings.exclude for layer in layers if fnmatchcase(layer, pattern)),
        None,
    )
    inside = np.zeros(coupling.set_count, dtype=np.bool_)
    inside[members] = True
    alone = [entry for entry in occurrences if inside[entry.sets].all()]
    ranked = members[np.lexsort((members, scores[members], ~removed[members]))]
    judged = ranked[np.isfinite(scores[ranked])]
    ranked = _of_the_kind(coupling, judged, settings.granularity)
    if reason is None and len(judged) and not len(ranked):
        reason = f"no {_KINDS[settings.granularity]}"
    if reason is None and not len(ranked):
        reason = f"criterion {settings.criterion!r} has nothing to judge it by"
    order = _removable(ranked, alone, makers, settings.min_channels, removed) if reason is None else ranked[:0]
    gone = int(removed[order].sum())
    weights = np.zeros(coupling.set_count, dtype=np.int64)
    for entry in own:
        np.add.at(weights, entry.sets, entry.members)
    rounded = [entry for entry in alone if (entry.axis.name, entry.axis.axis) in makers]
    allowed, note = _multiples(order, rounded, settings.round_to, gone)
    return Group(
        layers,
        order,
        scores[order],
        np.concatenate([[0], np.cumsum(weights[order])]),
        int(weights[members].sum()),
        gone,
        sum(_absent(entry, members, original.get(coupling.layer(entry.axis))) for entry in own),
        allowed,
        settings.rounding,
        _own_amount(settings, layers),
        reason,
        note,
    )


_KINDS = {"head": "attention head", "group": "group of a convolution"}


def _of_the_kind(coupling: Coupling, sets: Indices, granularity: str) -> Indices:
    """Return which of ``sets`` are whole heads or groups, where only these are asked for."""
    if granularity not in _KINDS:
        return sets
    wanted = coupling.heads if granularity == "head" else coupling.grouped
    return sets[np.isin(sets, list(wanted))]


def _absent(entry: _Occurrence, members: Indices, before: int | None) -> float:
    """Return this group's part of the channels a layer lost before, in proportion to what it has left of the layer."""
    if before is None:
        return 0.0
    part = entry.members[np.isin(entry.sets, members)].sum() / max(int(entry.members.sum()), 1)
    return float((before - len(entry.axis.sets)) * part)


def _own_amount(settings: Prune, layers: tuple[str, ...]) -> float | None:
    for override in settings.override:
        if any(fnmatchcase(layer, override.pattern) for layer in layers):
            return override.amount
    return None


def _removable(
    ranked: Indices, occurrences: list[_Occurrence], makers: set[tuple[str, int]], floor: int, removed: Flags
) -> Indices:
    """Drop the sets without which an axis would fall below its floor (one index at least, for axes that only read)."""
    left = [entry.kept + int(entry.members.sum()) for entry in occurrences]
    least = [floor if (entry.axis.name, entry.axis.axis) in makers else 1 for entry in occurrences]
    places: dict[int, list[tuple[int, int]]] = {}
    for place, entry in enumerate(occurrences):
        for number, count in zip(entry.sets.tolist(), entry.members.tolist(), strict=True):
            places.setdefault(number, []).append((place, count))
    order = []
    for number in ranked.tolist():
        if not removed[number] and any(left[place] - count < least[place] for place, count in places[number]):
            continue
        for place, count in places[number]:
            left[place] -= count
        order.append(number)
    return np.asarray(order, dtype=np.int64)


def _multiples(order: Indices, makers: list[_Occurrence], round_to: int, gone: int) -> tuple[Indices, str | None]:
    """Return the numbers of removed sets that leave every layer a multiple; all of them, with a note, if none does."""
    every = np.arange(gone, len(order) + 1, dtype=np.int64)
    fits = np.ones(len(order) + 1, dtype=np.bool_)
    for entry in makers:
        members = np.zeros(max(int(order.max(initial=0)), int(entry.sets.max())) + 1, dtype=np.int64)
        members[entry.sets] = entry.members
        left = entry.kept + entry.members.sum() - np.concatenate([[0], np.cumsum(members[order])])
        fits &= left % round_to == 0
    allowed = every[fits[gone:]]
    if len(allowed):
        return allowed, None
    return every, f"no removal leaves a multiple of {round_to} in every coupled layer"
