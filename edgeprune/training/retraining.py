"""Retraining after a round of pruning."""

from __future__ import annotations

import copy
from contextlib import ExitStack

from torch import nn

from edgeprune.module_state import load_state
from edgeprune.pruning import Masks, compact, training_notes
from edgeprune.recipe import Recipe
from edgeprune.training.distillation import Distillation
from edgeprune.training.dropout import dropout_rates
from edgeprune.training.evaluate import evaluate
from edgeprune.training.freeze import frozen
from edgeprune.training.history import History
from edgeprune.training.loop import fit
from edgeprune.training.masks import MaskCallback
from edgeprune.training.randomness import derive_seed
from edgeprune.training.round import Round
from edgeprune.training.scatter import scatter
from edgeprune.training.selection import Selection
from edgeprune.training.work import Work


def retrain(work: Work, number: int, selection: Selection) -> Round:
    """Mask the network and train what is left of it, in place."""
    model, validation = work.model, work.splits.validation
    selection.masks.apply(model)
    # Where whole channels went, the compact network is retrained in place of the masked one: the two compute the same
    # by contract, and the smaller one takes a fraction of the time. What it learnt then goes back into the original.
    plan = selection.plan
    learner = model if plan is None else compact(model, plan, coupling=work.coupling)
    before = evaluate(learner, validation)
    if work.start is not None:
        load_state(model, work.start(number))
        selection.masks.apply(model)
        learner = model if plan is None else compact(model, plan, coupling=work.coupling)
    for lost in training_notes(learner):
        work.progress.note(lost)
    history = _fit(work, number, learner, selection)
    if plan is not None:
        scatter(learner, model, plan)
        model.eval()
    after = evaluate(learner, validation)
    live = live_parameters(model, selection.masks)
    return Round(number, work.amounts[number - 1], live, before.fraction, after.fraction, history)


def teacher(model: nn.Module, recipe: Recipe) -> Distillation | None:
    """Return the network as it is before any round as the teacher, if the recipe wants one."""
    settings = recipe.retrain
    if not settings.distill:
        return None
    return Distillation(copy.deepcopy(model), settings.distill, settings.distill_temperature)


def live_parameters(model: nn.Module, masks: Masks) -> int:
    """Return how many entries of all parameters no mask holds at zero."""
    live = _live(model, masks)
    return sum(live[name] for name, _ in model.named_parameters())


def _fit(work: Work, number: int, learner: nn.Module, selection: Selection) -> History:
    with ExitStack() as conditions:
        rates = _dropout_rates(work, selection.masks)
        conditions.enter_context(dropout_rates(learner, rates))
        if work.alternation is not None:
            conditions.enter_context(frozen(learner, work.alternation.frozen_in(number)))
        return fit(
            learner,
            work.splits,
            work.recipe.retrain,
            seed=derive_seed(work.recipe.seed, "retrain", number),
            epochs=work.epochs(number),
            callbacks=[MaskCallback(selection.masks)] if selection.plan is None else [],
            distillation=work.distillation,
            checkpoint=work.epoch_file,
            progress=work.progress,
        )


def _dropout_rates(work: Work, masks: Masks) -> dict[str, float]:
    live = _live(work.model, masks)
    rates = {one.name: one.adjusted(live) for one in work.dropouts if one.connections}
    for one in work.dropouts:
        to = f"{rates[one.name]:.4f}" if one.connections else "no layer with weights reads it, so it stays"
        work.progress.note(f"dropout {one.name}: {one.rate:.4f} -> {to}")
    return rates


def _live(model: nn.Module, masks: Masks) -> dict[str, int]:
    """Return how many entries of each parameter no mask holds at zero."""
    parameters = model.named_parameters(remove_duplicate=False)
    return {name: int(masks[name].sum()) if name in masks else value.numel() for name, value in parameters}
