"""Pruning in rounds: plan, mask, retrain, and again, able to continue after being killed at any moment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from edgeprune.data import Splits
from edgeprune.errors import UserError
from edgeprune.progress import Progress, SilentProgress
from edgeprune.pruning import Masks, Plan
from edgeprune.pruning.criteria import Criterion
from edgeprune.pruning.nothing import NothingToRemove
from edgeprune.pruning.schedule import UserSchedule, planned_amounts
from edgeprune.pruning.weight_scores import WeightCriterion
from edgeprune.recipe import Recipe
from edgeprune.training.checkpoint import load_checkpoint
from edgeprune.training.dropout import find_dropouts
from edgeprune.training.freeze import Alternation
from edgeprune.training.gradual import prune_while_training
from edgeprune.training.retraining import retrain, teacher
from edgeprune.training.round import Round
from edgeprune.training.round_files import identity_of, restore_round, save_round
from edgeprune.training.selection import Selection, select
from edgeprune.training.work import Start, Work

AfterRound = Callable[[Round, nn.Module, Masks, Plan | None], None]


@dataclass(frozen=True)
class RoundsResult:
    """The masked network's state dict, what the masks hold, and how it came to that.

    ``plan`` is None where single weights were pruned.
    """

    state: dict[str, Tensor]
    plan: Plan | None
    masks: Masks
    rounds: tuple[Round, ...]

    def history(self) -> dict[str, Any]:
        """Return JSON-able values of all rounds."""
        return {"rounds": [one.as_dict() for one in self.rounds]}


def prune_and_retrain(
    model: nn.Module,
    splits: Splits,
    recipe: Recipe,
    *,
    work: Path,
    start: Start | None = None,
    after_round: AfterRound | None = None,
    earlier: Plan | None = None,
    criterion: Criterion | WeightCriterion | None = None,
    schedule: UserSchedule | None = None,
    progress: Progress | None = None,
) -> RoundsResult:
    """Prune ``model`` as ``recipe.prune`` says, retraining after each round as ``recipe.retrain`` says.

    ``model`` ends up masked and retrained. ``work`` holds a file per finished round and one of the current epoch; a
    call with the same arguments continues from them to the same weights, and files of another recipe or network are
    not used. Only the training and validation splits are read.

    ``earlier`` is the plan that made ``model`` out of a larger original, if it was pruned before. ``criterion`` and
    ``schedule`` replace the recipe's by functions; finished rounds are known by their names and by what the schedule
    gives, so an interrupted call with a changed criterion needs another ``work``.

    Where ``recipe.retrain.start`` is not ``survivors``, ``start`` gives, for a round's number, the state dict that its
    retraining starts from: of an earlier epoch (rewinding: Frankle et al., "Linear mode connectivity and the lottery
    ticket hypothesis", 2020) or a fresh one. The masks hold on it; the next round judges what was retrained.

    ``after_round`` is called with each round, the masked network as it is then, its masks and its plan; also with the
    rounds that were found finished. It must leave the network as it is.

    Raises:
        UserError: the settings cannot be met by this network, or ``start`` is missing.
        StageFailure: the network cannot be traced, or the loss is no longer finite.
    """
    if (start is None) != (recipe.retrain.start == "survivors"):
        needed = "needs the values to start from" if start is None else "starts from what survived, not other values"
        raise UserError(f"retrain.from: {recipe.retrain.start!r} {needed}")
    shared = Work(
        model,
        splits,
        recipe,
        planned_amounts(schedule or recipe.prune.schedule, recipe.prune.amount, recipe.prune.rounds),
        work,
        progress or SilentProgress(),
        start=start,
        earlier=earlier,
        criterion=criterion,
        alternation=Alternation.of(model) if recipe.retrain.freeze == "alternate" else None,
        dropouts=find_dropouts(model, torch.zeros(1, *splits.input_shape)) if recipe.retrain.adjust_dropout else (),
        distillation=teacher(model, recipe),
    )
    tell = after_round or (lambda *_: None)
    rounds, selection = _in_rounds(shared, tell) if recipe.prune.every == "round" else _gradually(shared, tell)
    state = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
    return RoundsResult(state, selection.plan, selection.masks, tuple(rounds))


def _in_rounds(work: Work, after_round: AfterRound) -> tuple[list[Round], Selection]:
    identity = identity_of(work)
    rounds: list[Round] = []
    selection: Selection | None = None
    for number in range(1, work.rounds + 1):
        done = load_checkpoint(work.round_file(number), identity)
        if done is None:
            chosen = _select_or_skip(work, number, selection)
            if chosen is None:
                continue
            selection = chosen
            rounds.append(retrain(work, number, selection))
            save_round(work, selection, rounds[-1], identity)
        else:
            selection = restore_round(done, work.model)
            rounds.append(Round.from_dict(done.facts["round"]))
        work.progress.note(_line(rounds[-1], work.rounds))
        after_round(rounds[-1], work.model, selection.masks, selection.plan)
    assert selection is not None
    return rounds, selection


def _gradually(work: Work, after_round: AfterRound) -> tuple[list[Round], Selection]:
    identity = identity_of(work)
    done = load_checkpoint(work.round_file(work.rounds), identity)
    if done is None:
        one, selection = prune_while_training(work, lambda number, before: _select_or_skip(work, number, before))
        save_round(work, selection, one, identity)
    else:
        selection = restore_round(done, work.model)
        one = Round.from_dict(done.facts["round"])
    work.progress.note(_line(one, work.rounds))
    after_round(one, work.model, selection.masks, selection.plan)
    return [one], selection


def _select_or_skip(work: Work, number: int, before: Selection | None) -> Selection | None:
    """Return what goes in a round; None, with a note, where that is nothing and later rounds follow."""
    try:
        return select(work, number, before)
    except NothingToRemove as nothing:
        if number == work.rounds:
            raise
        work.progress.note(f"round {number}/{work.rounds}: skipped: {nothing}")
        return None


def _line(done: Round, count: int) -> str:
    return (
        f"round {done.number}/{count}: {done.amount:.1%} pruned, {done.live:,} parameters live, validation "
        f"{done.before_retraining:.2%} before and {done.after_retraining:.2%} after retraining"
    )
