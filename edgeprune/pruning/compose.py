"""One plan out of two: an already pruned network pruned again, told from the original."""

from __future__ import annotations

from edgeprune.errors import UserError
from edgeprune.pruning.plan import Kept, LayerPlan, Plan


def compose(first: Plan, second: Plan) -> Plan:
    """Return the plan that makes of the original what ``second`` makes of the network that ``first`` made.

    Kept indices are those of the original, and so are the figures before. With it the original class loads the result
    in one step (``compact_like(original, plan)``).

    Raises:
        UserError: ``second`` was made for another network than the one ``first`` makes.
    """
    if first.parameters_after != second.parameters_before:
        raise UserError(
            f"plans: the first leaves {first.parameters_after:,} parameters, the second starts from "
            f"{second.parameters_before:,}; they do not follow each other"
        )
    return Plan(
        layers=_layers(first, second),
        kept=_kept(first.kept, second.kept),
        parameters_before=first.parameters_before,
        parameters_after=second.parameters_after,
        macs_before=first.macs_before,
        macs_after=second.macs_after,
        channels_before=first.channels_before,
        channels_after=second.channels_after,
        inputs=first.inputs,
        folds=_folds(first, second),
        prefer=second.prefer,
        notes=tuple(dict.fromkeys((*first.notes, *second.notes))),
    )


def _layers(first: Plan, second: Plan) -> tuple[LayerPlan, ...]:
    later = {layer.name: layer for layer in second.layers}
    return tuple(
        LayerPlan(layer.name, layer.kind, layer.before, later[layer.name].after, later[layer.name].pinned)
        if layer.name in later
        else layer
        for layer in first.layers
    )


def _kept(first: Kept, second: Kept) -> Kept:
    kept: Kept = {name: dict(axes) for name, axes in first.items()}
    for name, axes in second.items():
        for axis, indices in axes.items():
            earlier = first.get(name, {}).get(axis)
            if earlier is not None and indices and max(indices) >= len(earlier):
                raise UserError(
                    f"plans: the second keeps index {max(indices)} of {name}, the first left {len(earlier)}"
                )
            chosen = indices if earlier is None else tuple(earlier[index] for index in indices)
            kept.setdefault(name, {})[axis] = chosen
    return kept


def _folds(first: Plan, second: Plan) -> dict[str, tuple[float, ...]]:
    """Return both plans' folds, those of the second at the original's indices."""
    folds = {name: list(values) for name, values in first.folds.items()}
    for name, values in second.folds.items():
        places = first.kept.get(name, {}).get(0, tuple(range(len(values))))
        whole = folds.setdefault(name, [])
        whole += [0.0] * (max(places, default=-1) + 1 - len(whole))
        for place, value in zip(places, values, strict=False):
            whole[place] += value
    return {name: tuple(values) for name, values in folds.items()}
