"""What one round of pruning holds at zero."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from torch import Tensor, nn

from edgeprune.data import Splits
from edgeprune.progress import Progress
from edgeprune.pruning import Masks, Plan, make_plan, plan_masks, weight_masks
from edgeprune.pruning.criteria import Criterion, needs_data
from edgeprune.pruning.nothing import NothingToRemove
from edgeprune.pruning.weight_scores import WeightCriterion
from edgeprune.recipe import Recipe
from edgeprune.training.calibration import calibration_batches
from edgeprune.training.evaluate import evaluate
from edgeprune.training.randomness import derive_seed, scoped_randomness
from edgeprune.training.work import Work


@dataclass(frozen=True)
class Selection:
    """The masks, and for whole channels the plan they come from."""

    masks: Masks
    plan: Plan | None


def select_at_once(
    model: nn.Module, splits: Splits, recipe: Recipe, earlier: Plan | None, progress: Progress
) -> Selection:
    """Decide what of ``model`` goes if the whole amount goes in one round; it is not changed.

    Raises:
        UserError: the settings cannot be met by this network.
    """
    one = recipe.model_copy(update={"prune": recipe.prune.model_copy(update={"rounds": 1})})
    return select(Work(model, splits, one, (recipe.prune.amount,), Path(), progress=progress, earlier=earlier), 1, None)


def select(work: Work, number: int, before: Selection | None) -> Selection:
    """Decide what is gone after a round; what went ``before`` stays gone.

    Raises:
        NothingToRemove: the round's amount is too small to remove anything.
        UserError: the settings cannot be met by this network.
    """
    settings, amount = work.recipe.prune, work.amounts[number - 1]
    if amount == 0:
        raise NothingToRemove("prune.schedule: nothing is to be removed yet")
    seed = derive_seed(work.recipe.seed, "prune", number)
    calibration: Iterable[tuple[Tensor, Tensor]] | None = None
    if work.criterion is not None or needs_data(settings.criterion):
        calibration = calibration_batches(work.splits, seed)

    def accuracy(network: nn.Module) -> float:
        return evaluate(network, work.splits.validation).fraction

    with scoped_randomness(seed):
        if settings.masks_only:
            masks = weight_masks(
                work.model,
                settings,
                amount,
                reference=before.masks if before else None,
                calibration=calibration,
                measure=accuracy,
                seed=seed,
                progress=work.progress,
                criterion=cast("WeightCriterion | None", work.criterion),
                coupling=work.coupling if settings.granularity == "row" else None,
            )
            return Selection(masks, None)
        plan = make_plan(
            work.model,
            work.example,
            settings,
            amount,
            coupling=work.coupling,
            calibration=calibration,
            seed=seed,
            reference=before.plan if before else None,
            criterion=cast("Criterion | None", work.criterion),
            earlier=work.earlier,
        )
        return Selection(plan_masks(work.model, plan), plan)
