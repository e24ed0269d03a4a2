"""The typed content of a recipe file."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from edgeprune.recipe.budget import Budget
from edgeprune.recipe.callable_spec import CallableSpec
from edgeprune.recipe.measuring import Measure
from edgeprune.recipe.pruning import Prune
from edgeprune.recipe.training import Retrain, Train
from edgeprune.toml_file import Table


def _recipe_name(name: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", name):
        raise ValueError(f"lower-case letters, digits and dashes only, not {name!r}")
    return name


class ModelSource(Table):
    """Where the network comes from.

    ``factory`` is ``package.module:callable`` or ``path/to/file.py:callable``; called with ``args`` it returns an
    ``nn.Module``. ``weights`` is a safetensors state dict to start from instead of a fresh initialisation.
    ``plan`` is the ``plan.json`` of an earlier pruning: the network starts in the shapes it left.
    ``input_shape`` is one sample's shape (channels, height, width).
    """

    factory: CallableSpec
    args: dict[str, Any] = {}
    weights: str | None = None
    plan: str | None = None
    input_shape: list[int] = Field(min_length=1)

    @model_validator(mode="after")
    def _positive_shape(self) -> ModelSource:
        if any(size < 1 for size in self.input_shape):
            raise ValueError(f"input_shape must hold positive sizes, not {self.input_shape}")
        return self


class Data(Table):
    """Where the samples come from and how they are split.

    ``folder`` (a directory per class) and ``npz`` (arrays ``x``, ``y``, optionally ``x_test``, ``y_test``) take
    ``path``; ``import`` takes ``factory``, which returns a training and a test ``torch.utils.data.Dataset``.
    ``validation`` samples are taken off the training split by the recipe's seed. ``mean`` and ``std`` normalise
    inputs that were scaled to [0, 1]. ``limit`` keeps only the first samples of the training split after shuffling.
    """

    source: Literal["mnist", "fashion-mnist", "folder", "npz", "import"]
    path: str | None = None
    factory: CallableSpec | None = None
    args: dict[str, Any] = {}
    validation: int = Field(ge=1)
    limit: int | None = Field(default=None, ge=1)
    mean: float = 0.0
    std: float = Field(default=1.0, gt=0)

    @model_validator(mode="after")
    def _source_has_its_key(self) -> Data:
        needed = {"folder": "path", "npz": "path", "import": "factory"}.get(self.source)
        for key in ("path", "factory"):
            present = getattr(self, key) is not None
            if present and key != needed:
                raise ValueError(f"{key} does nothing when source is {self.source!r}; remove it")
            if not present and key == needed:
                raise ValueError(f"{key} is required when source is {self.source!r}")
        return self


class Export(Table):
    """How the network becomes ONNX."""

    opset: int = Field(default=20, ge=18, le=23)


class Tune(Table):
    """The budget per network and target: measured candidates, and seconds after which no new one is started.

    ``emulated`` lets boards that are only emulated be tuned too, by estimated cycles. ``boards`` is how many of a
    tracker's boards of the target's key work at once, all it knows unless given. ``choices`` has the whole artifact
    measured after the search, with and without tuned schedules and Winograd's method; the surely faster one is built.
    """

    trials: int = Field(default=64, ge=0)
    seconds: float = Field(default=600.0, gt=0)
    emulated: bool = False
    boards: int | None = Field(default=None, ge=1)
    choices: bool = True


class Recipe(Table):
    """A whole run: network, data, training, pruning and what follows."""

    name: Annotated[str, AfterValidator(_recipe_name)]
    description: str
    seed: int = Field(default=0, ge=0)
    model: ModelSource
    data: Data
    train: Train
    prune: Prune
    retrain: Retrain
    budget: Budget | None = None
    export: Export = Export()
    tune: Tune = Tune()
    measure: Measure = Measure()

    @model_validator(mode="before")
    @classmethod
    def _retraining_takes_trains_keys(cls, data: Any) -> Any:
        """Fill in what ``retrain`` takes from ``train``: from scratch the epochs and the rate, else a factor's rate."""
        if not isinstance(data, dict):
            return data
        train, retrain = _as_written(data.get("train")), _as_written(data.get("retrain"))
        if not isinstance(train, dict) or not isinstance(retrain, dict):
            return data
        rate = train.get("learning_rate", Train.model_fields["learning_rate"].default)
        factor = retrain.get("learning_rate_factor")
        shared = {}
        if retrain.get("from") == "scratch":
            shared = {"learning_rate": rate} | {key: train[key] for key in ("epochs",) if key in train}
        elif isinstance(factor, (int, float)) and isinstance(rate, (int, float)):
            shared = {"learning_rate": factor * rate}
        return data | {"retrain": shared | retrain}

    @model_validator(mode="after")
    def _budget_can_choose_the_amount(self) -> Recipe:
        if self.budget is None:
            return self
        if self.prune.masks_only:
            raise ValueError(
                f"budget: prune.granularity {self.prune.granularity!r} holds weights at zero, which by itself makes "
                "nothing smaller on a board; prune channels, or take [budget] out"
            )
        for key in ("schedule", "amounts_from"):
            if isinstance(getattr(self.prune, key), list) or (key == "amounts_from" and self.prune.amounts_from):
                raise ValueError(f"budget: prune.{key} fixes the amounts that the budget is to choose; remove one")
        return self

    @model_validator(mode="after")
    def _retraining_fits_training(self) -> Recipe:
        if self.retrain.start == "scratch":
            for key in ("epochs", "learning_rate"):
                if getattr(self.retrain, key) != getattr(self.train, key):
                    raise ValueError(f"retrain.{key} is train.{key} when retrain.from is 'scratch'; remove it")
        factor = self.retrain.learning_rate_factor
        if factor is not None and self.retrain.learning_rate != factor * self.train.learning_rate:
            raise ValueError("retrain.learning_rate is retrain.learning_rate_factor x train.learning_rate; remove one")
        if self.retrain.freeze == "alternate" and (self.prune.schedule == "one-shot" or self.prune.rounds < 2):
            raise ValueError("retrain.freeze 'alternate' needs two rounds or more; raise prune.rounds")
        if self.model.plan is None:
            self.prune.refuse("the network was not pruned before (no model.plan)", "of")
        elif self.prune.masks_only and self.prune.of == "original":
            raise ValueError("prune.of must be 'current' when weights of a network pruned before (model.plan) go")
        if self.prune.every != "round":
            for key in ("freeze", "adjust_dropout", "fit"):
                if getattr(self.retrain, key) != Retrain.model_fields[key].default:
                    raise ValueError(f"retrain.{key} works between rounds, but prune.every is {self.prune.every!r}")
        if self.retrain.start == "rewind":
            if self.retrain.rewind_epoch > self.train.epochs:
                raise ValueError(
                    f"retrain.rewind_epoch is {self.retrain.rewind_epoch}, but train.epochs is {self.train.epochs}"
                )
            if self.train.fit is not None and self.retrain.rewind_epoch:
                raise ValueError("retrain.rewind_epoch can only be 0 with train.fit, which shows no epochs")
        return self


def _as_written(table: Any) -> Any:
    """Return the keys that were given for a table, whether as a dictionary or as the table itself."""
    return table.model_dump(exclude_unset=True, by_alias=True) if isinstance(table, Table) else table
