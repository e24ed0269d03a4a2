"""Making a plan: score, rank, allocate."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from torch import Tensor, nn

from edgeprune.errors import UserError
from edgeprune.pruning.allocate import allocate
from edgeprune.pruning.coupling import KEPT, Coupling, ParameterAxis, Prefer, trace_coupling
from edgeprune.pruning.criteria import Batch, Criterion, Evidence, score_sets
from edgeprune.pruning.densities import with_amounts
from edgeprune.pruning.groups import Group, make_groups
from edgeprune.pruning.labels import Flags
from edgeprune.pruning.nothing import NothingToRemove
from edgeprune.pruning.plan import Kept, LayerPlan, Plan
from edgeprune.pruning.scope import relative_in_groups
from edgeprune.pruning.size import Size
from edgeprune.recipe import Prune


def make_plan(
    model: nn.Module,
    example_inputs: tuple[Tensor, ...],
    settings: Prune,
    amount: float | None = None,
    *,
    coupling: Coupling | None = None,
    calibration: Iterable[Batch] | None = None,
    seed: int = 0,
    reference: Plan | None = None,
    criterion: Criterion | None = None,
    earlier: Plan | None = None,
) -> Plan:
    """Decide which channels of ``model`` go.

    ``amount`` overrides ``settings.amount``, for a round of a schedule; it always refers to the network as given, so
    give every round the original's shapes and the plan of the round before as ``reference``: what that removed stays
    removed. ``earlier`` is the plan that made ``model``, a compact network, out of its original, which amounts refer to
    unless ``settings.of`` is ``current``. ``coupling`` saves tracing again. ``criterion`` replaces the settings' by a
    function of the ``Evidence``.

    Raises:
        NothingToRemove: the amount is too small for a single channel.
        UserError: the settings ask for single weights (see ``weight_masks``), a pattern matches no layer, the amount
            cannot be reached, or nothing can be removed; the message says why.
        StageFailure: the network cannot be traced.
    """
    if settings.masks_only:
        raise UserError("prune.granularity: single weights have no plan of channels; use weight_masks")
    if amount is not None and not 0 < amount < 1:
        raise UserError(f"amount: {amount:g} is not a fraction between 0 and 1")
    settings = with_amounts(settings)
    coupling = coupling or trace_coupling(model, example_inputs, prefer_of(settings))
    batches = tuple(calibration or ())
    evidence = Evidence(coupling, model, batches, seed, settings.aggregate, settings.normalise)
    scores = score_sets(criterion or settings.criterion, evidence)
    removed = removed_sets(coupling, reference)
    if settings.scope == "local":
        scores = relative_in_groups(scores, coupling.groups, ~removed)
    original = earlier if settings.of == "original" else None
    before = {layer.name: layer.before for layer in original.layers} if original is not None else None
    groups = make_groups(coupling, scores, settings, removed, before)
    amount = amount or settings.amount
    keep = allocate(groups, settings, amount, Size(coupling, model), coupling.set_count, original)
    keep &= ~removed
    if keep.all():
        raise _nothing(coupling, groups, original)
    return _with_multiples_named(plan_of(model, coupling, keep, groups), settings.round_to)


def prefer_of(settings: Prune) -> Prefer:
    """Return how a network must be traced for these settings."""
    return "group" if settings.granularity == "group" else "channel"


def _with_multiples_named(plan: Plan, round_to: int) -> Plan:
    """Say of every layer that lost channels and is left with no multiple that it is so."""
    layers = tuple(
        replace(layer, pinned=f"{layer.after} is no multiple of {round_to}: the layers it is coupled with forbid one")
        if layer.after < layer.before and layer.after % round_to and layer.pinned is None
        else layer
        for layer in plan.layers
    )
    return replace(plan, layers=layers)


def removed_sets(coupling: Coupling, reference: Plan | None) -> Flags:
    """Return which sets an earlier plan removed."""
    removed = np.zeros(coupling.set_count, dtype=np.bool_)
    if reference is None:
        return removed
    for axis in coupling.axes:
        indices = reference.kept.get(axis.name, {}).get(axis.axis)
        if indices is not None:
            gone = np.ones(len(axis.sets), dtype=np.bool_)
            gone[list(indices)] = False
            sets = axis.sets[gone]
            if (sets == KEPT).any():
                raise UserError(f"reference plan: it removes channels of {axis.name} that this network must keep")
            removed[sets] = True
    return removed


def plan_of(model: nn.Module, coupling: Coupling, keep: Flags, groups: list[Group] | None = None) -> Plan:
    """Return the plan that keeps the sets marked in ``keep``."""
    size = Size(coupling, model)
    everything = np.ones_like(keep)
    reasons = {layer: _why(group, keep) for group in groups or () for layer in group.layers}
    return Plan(
        layers=_layers(coupling, keep, reasons),
        kept=_kept(coupling, keep),
        parameters_before=size.parameters(everything),
        parameters_after=size.parameters(keep),
        macs_before=size.macs(everything),
        macs_after=size.macs(keep),
        channels_before=size.channels(everything),
        channels_after=size.channels(keep),
        inputs=coupling.inputs,
        prefer=coupling.prefer,
        notes=tuple(f"operator {name} has no rule: what it touches stays" for name in coupling.unknown_operators),
    )


def _why(group: Group, keep: Flags) -> str | None:
    """Say why a group's layers stay whole, or are not left as asked."""
    if group.reason or group.note:
        return group.reason or group.note
    if not len(group.order):
        return "min_channels or a coupled layer leaves nothing to remove"
    if keep[group.order].all():
        coarse = len(group.allowed) <= len(group.order) - group.gone
        return "the amount takes nothing of it" + (" in multiples of round_to" if coarse else "")
    return None


def _alive(axis: ParameterAxis, keep: Flags) -> Flags:
    return np.concatenate([keep, [True]])[axis.sets]


def _layers(coupling: Coupling, keep: Flags, reasons: dict[str, str | None]) -> tuple[LayerPlan, ...]:
    rows = []
    for axis in coupling.makers():
        name = coupling.layer(axis)
        kind = coupling.kinds.get(name, "Parameter")
        after = int(_alive(axis, keep).sum())
        rows.append(LayerPlan(name, kind, len(axis.sets), after, axis.reason or reasons.get(name)))
    return tuple(rows)


def _kept(coupling: Coupling, keep: Flags) -> Kept:
    """Return the kept indices of every axis that loses some, under every name of a shared tensor."""
    names: dict[str, list[str]] = {}
    for name, first in coupling.trace.aliases.items():
        names.setdefault(first, []).append(name)
    kept: Kept = {}
    for axis in coupling.axes:
        alive = _alive(axis, keep)
        if not alive.all():
            for name in names.get(axis.name, [axis.name]):
                kept.setdefault(name, {})[axis.axis] = tuple(np.flatnonzero(alive).tolist())
    return kept


def _nothing(coupling: Coupling, groups: list[Group], original: Plan | None) -> UserError:
    """Say why nothing would be removed."""
    free = [group for group in groups if group.reason is None and len(group.order) > group.gone]
    if free and original is not None:
        return NothingToRemove(
            f"prune: an earlier pruning left {original.channels_after:,} of {original.channels_before:,} channels, and "
            "the amount, which refers to the original, asks for no more; raise it, or set prune.of to 'current'"
        )
    if free:
        return NothingToRemove(
            "prune: the amount is too small to remove a channel anywhere; ask for more, or lower round_to"
        )
    reasons = [f"{coupling.layer(axis)}: {axis.reason}" for axis in coupling.makers() if axis.reason]
    reasons += [
        f"{', '.join(group.layers)}: {group.reason or 'min_channels or a coupled layer leaves nothing to remove'}"
        for group in groups
    ]
    shown = "; ".join(dict.fromkeys(reasons)) or "no layer with channels was found"
    return UserError(f"prune: nothing can be removed: {shown}")
