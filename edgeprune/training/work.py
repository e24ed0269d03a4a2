"""What all rounds of pruning and retraining share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor, nn

from edgeprune.data import Splits
from edgeprune.progress import Progress
from edgeprune.pruning import Coupling, Plan, trace_coupling
from edgeprune.pruning.criteria import Criterion
from edgeprune.pruning.make_plan import prefer_of
from edgeprune.pruning.weight_scores import WeightCriterion
from edgeprune.recipe import Recipe
from edgeprune.training.distillation import Distillation
from edgeprune.training.dropout import Dropout
from edgeprune.training.freeze import Alternation

Start = Callable[[int], Mapping[str, Tensor]]
"""From a round's number to the state dict that its retraining starts from."""


@dataclass(frozen=True)
class Work:
    """What all rounds share; ``model`` is pruned and retrained in place.

    ``amounts`` are the fractions that are gone after each round, ``directory`` is where finished rounds lie,
    ``earlier`` the plan that made the network out of a larger one, if it was pruned before, ``criterion`` a function in
    place of the recipe's.
    """

    model: nn.Module
    splits: Splits
    recipe: Recipe
    amounts: tuple[float, ...]
    directory: Path
    progress: Progress
    start: Start | None = None
    earlier: Plan | None = None
    criterion: Criterion | WeightCriterion | None = None
    alternation: Alternation | None = None
    dropouts: tuple[Dropout, ...] = ()
    distillation: Distillation | None = None

    @property
    def rounds(self) -> int:
        """How many rounds there are."""
        return len(self.amounts)

    @property
    def epoch_file(self) -> Path:
        """Where the epoch of the round under way is kept."""
        return self.directory / "epoch.safetensors"

    @property
    def example(self) -> tuple[Tensor, ...]:
        """One sample of zeros, to trace the network with."""
        return (torch.zeros(1, *self.splits.input_shape),)

    @cached_property
    def coupling(self) -> Coupling:
        """What is coupled in the network, which stays the same over the rounds."""
        return trace_coupling(self.model, self.example, prefer_of(self.recipe.prune))

    def round_file(self, number: int) -> Path:
        """Where a finished round is kept."""
        return self.directory / f"round-{number}.safetensors"

    def epochs(self, number: int) -> int:
        """How many epochs a round retrains for."""
        settings = self.recipe.retrain
        last = number == self.rounds
        return settings.final_epochs if last and settings.final_epochs is not None else settings.epochs
