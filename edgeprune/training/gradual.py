"""Pruning while a network trains: many small rounds inside one training phase."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from edgeprune.errors import UserError
from edgeprune.module_state import load_state
from edgeprune.pruning import Masks, Plan
from edgeprune.training.batches import cut, sample_count
from edgeprune.training.callbacks import Callback
from edgeprune.training.checkpoint import facts_digest
from edgeprune.training.evaluate import evaluate
from edgeprune.training.loop import fit
from edgeprune.training.masks import MaskCallback, clear_state
from edgeprune.training.randomness import derive_seed
from edgeprune.training.retraining import live_parameters
from edgeprune.training.round import Round
from edgeprune.training.selection import Selection
from edgeprune.training.work import Work

Select = Callable[[int, Selection | None], Selection | None]
"""From a round's number and what was gone before to what is gone now; None where that is nothing yet."""


class GradualPruning(Callback):
    """Prunes once per epoch, or every so many steps, and holds at zero what is gone.

    Zhu and Gupta, "To prune, or not to prune" (2017): masks are raised while the network trains, so that it recovers
    from each small loss before the next. The first pruning is before the first step; after the last the masks stay.
    The optimizer's memory of an entry goes with it.
    """

    def __init__(self, select: Select, rounds: int, steps: int | None, settings: str) -> None:
        """``steps`` lie between prunings (None: an epoch); ``settings`` name what decides them."""
        self.selection: Selection | None = None
        self._select = select
        self._rounds = rounds
        self._steps = steps
        self._settings = settings
        self._done = 0
        self._unclear = False
        self._holder = MaskCallback({})

    def fingerprint(self) -> str:
        """Return what decides the prunings."""
        return f"{super().fingerprint()} {self._rounds} {self._steps} {self._settings}"

    def state(self) -> dict[str, Tensor]:
        """Return the masks and the plan so far."""
        found = {"done": torch.tensor(self._done)}
        if self.selection is not None:
            found |= {f"mask/{name}": mask for name, mask in self.selection.masks.items()}
            if self.selection.plan is not None:
                found["plan"] = torch.frombuffer(bytearray(self.selection.plan.to_json().encode()), dtype=torch.uint8)
        return found

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take them back."""
        self._done = int(state["done"])
        masks = {name.removeprefix("mask/"): mask for name, mask in state.items() if name.startswith("mask/")}
        plan = Plan.from_json(bytes(state["plan"].tolist()).decode()) if "plan" in state else None
        self.selection = Selection(Masks(masks), plan) if masks else None
        self._holder = MaskCallback(masks)

    def on_train_start(self, model: nn.Module) -> None:
        """Prune for the first time, if that was not done before an interruption."""
        if self._done == 0:
            self._prune(model)

    def on_epoch_start(self, model: nn.Module, epoch: int) -> None:
        """Prune in the first epochs, if it is done by epochs."""
        if self._steps is None and self._done < epoch <= self._rounds:
            self._prune(model)

    def on_step_end(self, model: nn.Module, optimizer: Optimizer, step: int) -> None:
        """Hold the masks, and prune if it is done by steps and time."""
        if self._steps is not None and self._done < self._rounds and (step + 1) % self._steps == 0:
            self._prune(model)
        if self._unclear and self.selection is not None:
            clear_state(model, optimizer, self.selection.masks)
            self._unclear = False
        self._holder.apply(model)

    def _prune(self, model: nn.Module) -> None:
        self._done += 1
        found = self._select(self._done, self.selection)
        if found is not None:
            self.selection = found
            self._unclear = True
            self._holder = MaskCallback(found.masks)
            self._holder.apply(model)


def prune_while_training(work: Work, select: Select) -> tuple[Round, Selection]:
    """Run the one phase in which all prunings happen; the network's weights at each decide what goes.

    Raises:
        UserError: the phase is over before the last pruning.
    """
    if work.start is not None:
        load_state(work.model, work.start(1))
    steps = steps_between(work)
    settings = facts_digest({"prune": work.recipe.prune.model_dump(mode="json"), "amounts": work.amounts})
    gradual = GradualPruning(select, work.rounds, steps, f"{settings} {work.recipe.seed}")
    before = evaluate(work.model, work.splits.validation)
    history = fit(
        work.model,
        work.splits,
        work.recipe.retrain,
        seed=derive_seed(work.recipe.seed, "retrain", work.rounds),
        epochs=work.epochs(work.rounds),
        callbacks=[gradual],
        distillation=work.distillation,
        checkpoint=work.epoch_file,
        progress=work.progress,
    )
    assert gradual.selection is not None
    after = evaluate(work.model, work.splits.validation)
    live = live_parameters(work.model, gradual.selection.masks)
    done = Round(work.rounds, work.amounts[-1], live, before.fraction, after.fraction, history)
    return done, gradual.selection


def steps_between(work: Work) -> int | None:
    """Return the steps between prunings, None for an epoch.

    Raises:
        UserError: the phase is over before the last pruning.
    """
    every, epochs = work.recipe.prune.every, work.epochs(work.rounds)
    if every == "epoch":
        if work.rounds > epochs:
            raise UserError(f"prune.every: {work.rounds} prunings, one per epoch, do not fit into {epochs} epochs")
        return None
    assert isinstance(every, int)
    in_epoch = len(cut(torch.arange(sample_count(work.splits.train)), work.recipe.retrain.batch_size))
    if (work.rounds - 1) * every >= epochs * in_epoch:
        raise UserError(
            f"prune.every: {work.rounds} prunings, one every {every} steps, do not fit into {epochs} epochs "
            f"of {in_epoch} steps"
        )
    return every
