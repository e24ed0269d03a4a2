"""Pruning in rounds: plan, mask, retrain, and again, able to continue after being killed at any moment."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from edgeprune.data import Splits
from edgeprune.errors import UserError
from edgeprune.progress import Progress, SilentProgress
from edgeprune.pruning import Masks, Plan, compact, make_plan, plan_masks, weight_masks
from edgeprune.pruning.schedule import amount_after, round_count
from edgeprune.recipe import Recipe
from edgeprune.training.calibration import calibration_batches
from edgeprune.training.checkpoint import Checkpoint, facts_digest, load_checkpoint, save_checkpoint, state_digest
from edgeprune.training.distillation import Distillation
from edgeprune.training.dropout import Dropout, dropout_rates, find_dropouts
from edgeprune.training.evaluate import evaluate
from edgeprune.training.freeze import Alternation, frozen
from edgeprune.training.history import History
from edgeprune.training.loop import fit
from edgeprune.training.masks import MaskCallback
from edgeprune.training.randomness import derive_seed, scoped_randomness
from edgeprune.training.scatter import scatter

_EPOCH = "epoch.safetensors"
Start = Callable[[int], Mapping[str, Tensor]]
_NEEDS_DATA = ("taylor", "activation-mean", "apoz")


@dataclass(frozen=True)
class Round:
    """One round: ``amount`` of the recipe's unit was gone after it; accuracies are fractions of the validation split.

    ``live`` counts the parameters' entries that no mask holds at zero. ``before_retraining`` is what the weights that
    survived give, also where retraining then starts from other values.
    """

    number: int
    amount: float
    live: int
    before_retraining: float
    after_retraining: float
    history: History

    def as_dict(self) -> dict[str, Any]:
        """Return JSON-able values."""
        return asdict(self) | {"history": self.history.as_dict()}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Round:
        """Return what :meth:`as_dict` gave."""
        return cls(**(data | {"history": History.from_dict(data["history"])}))


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


@dataclass(frozen=True)
class _Selection:
    """What one round holds at zero."""

    masks: Masks
    plan: Plan | None


@dataclass(frozen=True)
class _Work:
    """What all rounds share; ``model`` is pruned and retrained in place."""

    model: nn.Module
    splits: Splits
    recipe: Recipe
    directory: Path
    start: Start | None
    alternation: Alternation | None
    dropouts: tuple[Dropout, ...]
    distillation: Distillation | None
    progress: Progress

    def round_file(self, number: int) -> Path:
        return self.directory / f"round-{number}.safetensors"

    @property
    def epoch_file(self) -> Path:
        return self.directory / "epoch.safetensors"

    @property
    def rounds(self) -> int:
        return round_count(schedule=self.recipe.prune.schedule, rounds=self.recipe.prune.rounds)

    def amount(self, number: int) -> float:
        settings = self.recipe.prune
        return amount_after(schedule=settings.schedule, amount=settings.amount, completed=number, rounds=self.rounds)

    def epochs(self, number: int) -> int:
        settings = self.recipe.retrain
        last = number == self.rounds
        return settings.final_epochs if last and settings.final_epochs is not None else settings.epochs


def prune_and_retrain(
    model: nn.Module,
    splits: Splits,
    recipe: Recipe,
    *,
    work: Path,
    start: Start | None = None,
    progress: Progress | None = None,
) -> RoundsResult:
    """Prune ``model`` as ``recipe.prune`` says, retraining after each round as ``recipe.retrain`` says.

    ``model`` ends up masked and retrained. ``work`` holds a file per finished round and one of the current epoch; a
    call with the same arguments continues from them to the same weights, and files of another recipe or network are
    not used. Only the training and validation splits are read.

    Where ``recipe.retrain.start`` is not ``survivors``, ``start`` gives, for a round's number, the state dict that its
    retraining starts from: of an earlier epoch (rewinding: Frankle et al., "Linear mode connectivity and the lottery
    ticket hypothesis", 2020) or a fresh one. The masks hold on it; the next round judges what was retrained.

    Raises:
        UserError: the settings cannot be met by this network, or ``start`` is missing.
        StageFailure: the network cannot be traced, or the loss is no longer finite.
    """
    if (start is None) != (recipe.retrain.start == "survivors"):
        needed = "needs the values to start from" if start is None else "starts from what survived, not other values"
        raise UserError(f"retrain.from: {recipe.retrain.start!r} {needed}")
    alternation = Alternation.of(model) if recipe.retrain.freeze == "alternate" else None
    sample = torch.zeros(1, *splits.input_shape)
    dropouts = find_dropouts(model, sample) if recipe.retrain.adjust_dropout else ()
    teacher = _teacher(model, recipe)
    shared = _Work(model, splits, recipe, work, start, alternation, dropouts, teacher, progress or SilentProgress())
    identity = _identity(shared)
    rounds: list[Round] = []
    selection: _Selection | None = None
    for number in range(1, shared.rounds + 1):
        done = load_checkpoint(shared.round_file(number), identity)
        if done is None:
            selection = _select(shared, number, selection)
            rounds.append(_retrain(shared, number, selection))
            _save(shared, selection, rounds[-1], identity)
        else:
            selection = _load(done, model)
            rounds.append(Round.from_dict(done.facts["round"]))
        shared.progress.note(_line(rounds[-1], shared.rounds))
    assert selection is not None
    state = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
    return RoundsResult(state, selection.plan, selection.masks, tuple(rounds))


def _select(work: _Work, number: int, before: _Selection | None) -> _Selection:
    settings, amount = work.recipe.prune, work.amount(number)
    seed = derive_seed(work.recipe.seed, "prune", number)
    calibration: Iterable[tuple[Tensor, Tensor]] | None = None
    if settings.criterion in _NEEDS_DATA:
        calibration = calibration_batches(work.splits, seed)
    with scoped_randomness(seed):
        if settings.granularity == "weight":
            held = before.masks if before else None
            masks = weight_masks(
                work.model,
                settings,
                amount,
                reference=held,
                calibration=calibration,
                measure=lambda network: evaluate(network, work.splits.validation).fraction,
                seed=seed,
                progress=work.progress,
            )
            return _Selection(masks, None)
        example = (torch.zeros(1, *work.splits.input_shape),)
        earlier = before.plan if before else None
        plan = make_plan(work.model, example, settings, amount, calibration=calibration, seed=seed, reference=earlier)
        return _Selection(plan_masks(work.model, plan), plan)


def _retrain(work: _Work, number: int, selection: _Selection) -> Round:
    model, validation = work.model, work.splits.validation
    selection.masks.apply(model)
    # Where whole channels went, the compact network is retrained in place of the masked one: the two compute the same
    # by contract, and the smaller one takes a fraction of the time. What it learnt then goes back into the original.
    plan = selection.plan
    learner = model if plan is None else compact(model, plan)
    before = evaluate(learner, validation)
    if work.start is not None:
        model.load_state_dict(work.start(number))
        selection.masks.apply(model)
        learner = model if plan is None else compact(model, plan)
    history = _fit(work, number, learner, selection)
    if plan is not None:
        scatter(learner, model, plan)
        model.eval()
    after = evaluate(learner, validation)
    return Round(
        number, work.amount(number), _live_parameters(model, selection.masks), before.fraction, after.fraction, history
    )


def _fit(work: _Work, number: int, learner: nn.Module, selection: _Selection) -> History:
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


def _teacher(model: nn.Module, recipe: Recipe) -> Distillation | None:
    """Return the network as it is before any round as the teacher, if the recipe wants one."""
    settings = recipe.retrain
    if not settings.distill:
        return None
    return Distillation(copy.deepcopy(model), settings.distill, settings.distill_temperature)


def _dropout_rates(work: _Work, masks: Masks) -> dict[str, float]:
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


def _live_parameters(model: nn.Module, masks: Masks) -> int:
    live = _live(model, masks)
    return sum(live[name] for name, _ in model.named_parameters())


def _identity(work: _Work) -> str:
    facts = {
        "prune": work.recipe.prune.model_dump(mode="json"),
        "retrain": work.recipe.retrain.model_dump(mode="json"),
        "seed": work.recipe.seed,
        "data": work.splits.describe(),
        "torch": torch.__version__,
        "start": state_digest(work.model.state_dict()),
    }
    if work.start is not None:
        facts["restart"] = state_digest(work.start(1))
    return facts_digest(facts)


def _save(work: _Work, selection: _Selection, done: Round, identity: str) -> None:
    tensors = {f"model/{name}": tensor for name, tensor in work.model.state_dict().items()}
    tensors |= {f"mask/{name}": mask for name, mask in selection.masks.items()}
    plan = selection.plan.to_json() if selection.plan is not None else None
    save_checkpoint(work.round_file(done.number), tensors, {"round": done.as_dict(), "plan": plan}, identity)
    work.epoch_file.unlink(missing_ok=True)


def _load(done: Checkpoint, model: nn.Module) -> _Selection:
    model.load_state_dict(done.below("model/"))
    plan = done.facts["plan"]
    return _Selection(Masks(done.below("mask/")), Plan.from_json(plan) if plan is not None else None)


def _line(done: Round, count: int) -> str:
    return (
        f"round {done.number}/{count}: {done.amount:.1%} pruned, {done.live:,} parameters live, validation "
        f"{done.before_retraining:.2%} before and {done.after_retraining:.2%} after retraining"
    )
