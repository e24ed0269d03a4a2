"""What a recipe says of training and retraining."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field, model_validator

from edgeprune.recipe.callable_spec import CallableSpec
from edgeprune.toml_file import Table


class Train(Table):
    """One training phase.

    ``fit`` hands the whole phase to the user's ``package.module:callable``; ``callbacks`` name the user's own, each
    called without arguments for a ``edgeprune.training.Callback``. ``label_smoothing`` is the share of a label that is
    spread over all classes.
    """

    epochs: int = Field(ge=0)
    batch_size: int = Field(default=128, ge=1)
    optimizer: Literal["sgd", "adam"] = "sgd"
    learning_rate: float = Field(default=0.05, gt=0)
    momentum: float = Field(default=0.9, ge=0, lt=1)
    weight_decay: float = Field(default=0.0, ge=0)
    l1: float = Field(default=0.0, ge=0)
    bn_l1: float = Field(default=0.0, ge=0)
    group_lasso: float = Field(default=0.0, ge=0)
    decay: Literal["constant", "cosine", "one-cycle"] = "cosine"
    augment_shift: int = Field(default=0, ge=0)
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    fit: CallableSpec | None = None
    callbacks: list[CallableSpec] = []

    @model_validator(mode="after")
    def _momentum_is_sgds(self) -> Train:
        if self.optimizer == "adam":
            self.refuse("optimizer is 'adam'", "momentum")
        return self


class Retrain(Train):
    """The training phase after each pruning round; ``final_epochs`` replaces ``epochs`` after the last one.

    ``learning_rate_factor`` times ``train.learning_rate`` is the learning rate, where given.
    ``start`` (``from`` in a file) says which values the weights that live have when it starts: those that survived
    pruning, those of an earlier epoch of the dense training (``rewind_epoch``, 0 is before the first), or fresh ones;
    ``scratch`` is fresh ones trained with the learning rate and the epochs of ``train``. ``freeze = "alternate"`` lets
    convolutions stand still in odd rounds and linear layers in even ones; ``adjust_dropout`` lets dropout modules drop
    less, as the layers behind them have fewer connections left. ``distill`` is the weight of the dense original's
    answers in the loss, compared at ``distill_temperature``.
    """

    model_config = ConfigDict(serialize_by_alias=True)

    learning_rate_factor: float | None = Field(default=None, gt=0)
    final_epochs: int | None = Field(default=None, ge=0)
    start: Literal["survivors", "rewind", "reinit", "scratch"] = Field(default="survivors", alias="from")
    rewind_epoch: int = Field(default=0, ge=0)
    freeze: Literal["none", "alternate"] = "none"
    adjust_dropout: bool = False
    distill: float = Field(default=0.0, ge=0, le=1)
    distill_temperature: float = Field(default=4.0, gt=0)

    @model_validator(mode="after")
    def _every_key_does_something(self) -> Retrain:
        if self.start != "rewind":
            self.refuse(f"from is {self.start!r}", "rewind_epoch")
        if not self.distill:
            self.refuse("distill is 0", "distill_temperature")
        if self.fit is not None:
            self.refuse("fit trains", "distill")
        if self.start == "scratch":
            self.refuse("from is 'scratch', which takes train.learning_rate", "learning_rate_factor")
        if self.start == "scratch" and self.final_epochs is not None:
            raise ValueError("final_epochs does nothing when from is 'scratch', which takes train.epochs; remove it")
        return self
