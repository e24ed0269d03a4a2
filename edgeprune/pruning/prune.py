"""The one call for library users."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

from torch import Tensor, nn

from edgeprune.parity import Parity
from edgeprune.pruning.compact import compact
from edgeprune.pruning.compose import compose
from edgeprune.pruning.coupling import trace_coupling
from edgeprune.pruning.criteria import Batch, Criterion
from edgeprune.pruning.dead import eliminate_dead
from edgeprune.pruning.make_plan import make_plan, prefer_of
from edgeprune.pruning.masks import Masks, plan_masks
from edgeprune.pruning.plan import Plan
from edgeprune.pruning.sensitivity import Measure
from edgeprune.pruning.training_only import with_training_notes
from edgeprune.pruning.verify import check_exact
from edgeprune.pruning.weight_scores import WeightCriterion
from edgeprune.pruning.weights import weight_masks
from edgeprune.recipe import Prune


@dataclass(frozen=True)
class PruneResult:
    """The plan, a copy of the network with what is pruned at zero, the small one, and how they compare.

    ``plan`` is about the network that was given: which channels are not in the small one, and why the others stay.
    ``from_original`` is about the network that an earlier plan started from: ``save_compact(result.compact,
    result.from_original, directory)`` lets the original class load the result. ``masks`` hold at zero what is pruned.
    """

    plan: Plan
    from_original: Plan
    masks: Masks
    masked: nn.Module
    compact: nn.Module
    parity: Parity


def prune(
    model: nn.Module,
    example_inputs: tuple[Tensor, ...],
    settings: Prune,
    *,
    calibration: Iterable[Batch] | None = None,
    measure: Measure | None = None,
    seed: int = 0,
    criterion: Criterion | WeightCriterion | None = None,
    earlier: Plan | None = None,
) -> PruneResult:
    """Prune any network in one call; ``model`` itself is not changed.

    >>> once = prune(model, (torch.zeros(1, 3, 224, 224),), Prune(amount=0.5))  # doctest: +SKIP

    Channels are planned and taken out. Of single weights, rows and columns (``settings.granularity``) the compact
    network lacks what is dead with them. ``calibration`` batches are for criteria that look at data, ``measure`` (such
    as accuracy on a validation split) for ``han``; ``criterion`` replaces the settings' by a function.

    Pruning what is pruned already is another call with ``earlier``, the plan that made ``model``. Its amount is of the
    original (0.5 again would remove nothing), or with ``of="current"`` of what is left:

    >>> twice = prune(once.compact, inputs, Prune(amount=0.75), earlier=once.from_original)  # doctest: +SKIP

    Raises:
        UserError: the settings cannot be met; the message says why.
        StageFailure: the network cannot be traced or shrunk.
        ParityError: the compact network differs from the masked one on ``example_inputs``.
    """
    coupling = trace_coupling(model, example_inputs, prefer_of(settings))
    masked = copy.deepcopy(model)
    if settings.masks_only:
        own = cast("WeightCriterion | None", criterion)
        masks = weight_masks(
            model, settings, calibration=calibration, measure=measure, seed=seed, criterion=own, coupling=coupling
        )
        masks.apply(masked)
        plan = eliminate_dead(masked, example_inputs, coupling=coupling)
    else:
        plan = make_plan(
            model,
            example_inputs,
            settings,
            coupling=coupling,
            calibration=calibration,
            seed=seed,
            criterion=cast("Criterion | None", criterion),
            earlier=earlier,
        )
        masks = plan_masks(masked, plan)
        masks.apply(masked)
    smaller = compact(masked, plan, coupling=coupling) if plan.kept else copy.deepcopy(masked)
    parity = check_exact(masked, smaller, example_inputs, "masked | compact")
    plan = with_training_notes(plan, smaller)
    from_original = plan if earlier is None else compose(earlier, plan)
    return PruneResult(plan, from_original, masks, masked, smaller, parity)
