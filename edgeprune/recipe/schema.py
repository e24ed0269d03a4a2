"""The typed content of a recipe file."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from edgeprune.toml_file import Table


def _callable_spec(spec: str) -> str:
    if not re.fullmatch(r".+:[A-Za-z_][A-Za-z0-9_.]*", spec):
        raise ValueError(f"write it as package.module:callable or path/to/file.py:callable, not {spec!r}")
    return spec


def _recipe_name(name: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", name):
        raise ValueError(f"lower-case letters, digits and dashes only, not {name!r}")
    return name


CallableSpec = Annotated[str, AfterValidator(_callable_spec)]


class ModelSource(Table):
    """Where the network comes from.

    ``factory`` is ``package.module:callable`` or ``path/to/file.py:callable``; called with ``args`` it returns an
    ``nn.Module``. ``weights`` is a safetensors state dict to start from instead of a fresh initialisation.
    ``input_shape`` is one sample's shape (channels, height, width).
    """

    factory: CallableSpec
    args: dict[str, Any] = {}
    weights: str | None = None
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


class Train(Table):
    """One training phase. ``fit`` hands the whole phase to the user's ``package.module:callable``."""

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
    fit: CallableSpec | None = None

    @model_validator(mode="after")
    def _momentum_is_sgds(self) -> Train:
        if self.optimizer == "adam" and "momentum" in self.model_fields_set:
            raise ValueError("momentum does nothing when optimizer is 'adam'; remove it")
        return self


class Override(Table):
    """A different amount for the layers whose dotted name matches the shell pattern."""

    pattern: str
    amount: float = Field(ge=0, lt=1)


class Prune(Table):
    """What is removed and how much of it.

    ``amount`` is the fraction to remove, counted in ``unit``; the two ``round_to`` and ``min_channels`` bound what is
    left of every layer. Overrides give a layer's own fraction of channels.
    """

    granularity: Literal["channel", "weight"] = "channel"
    criterion: Literal[
        "l1", "l2", "han", "bn-scale", "taylor", "activation-mean", "apoz", "geometric-median", "random"
    ] = "l1"
    scope: Literal["uniform", "global"] = "uniform"
    schedule: Literal["one-shot", "iterative", "cubic"] = "iterative"
    rounds: int = Field(default=3, ge=1)
    amount: float = Field(gt=0, lt=1)
    unit: Literal["channels", "parameters", "macs"] = "channels"
    round_to: int = Field(default=1, ge=1)
    min_channels: int = Field(default=1, ge=1)
    exclude: list[str] = []
    override: list[Override] = []

    @model_validator(mode="after")
    def _every_key_does_something(self) -> Prune:
        if self.granularity == "weight":
            for key in ("round_to", "min_channels", "unit"):
                if key in self.model_fields_set:
                    raise ValueError(f"{key} does nothing when granularity is 'weight'; remove it")
        if self.criterion == "han":
            if self.granularity != "weight":
                raise ValueError("criterion 'han' is a threshold for single weights; set granularity to 'weight'")
            if "scope" in self.model_fields_set:
                raise ValueError("scope does nothing when criterion is 'han'; remove it")
        if self.schedule == "one-shot" and "rounds" in self.model_fields_set and self.rounds != 1:
            raise ValueError("rounds is 1 when schedule is 'one-shot'; remove it")
        return self


class Retrain(Train):
    """The training phase after each pruning round; ``final_epochs`` replaces ``epochs`` after the last one.

    ``start`` (``from`` in a file) says which values the weights that live have when it starts: those that survived
    pruning, those of an earlier epoch of the dense training (``rewind_epoch``, 0 is before the first), or fresh ones;
    ``scratch`` is fresh ones trained with the learning rate and the epochs of ``train``. ``freeze = "alternate"`` lets
    convolutions stand still in odd rounds and linear layers in even ones; ``adjust_dropout`` lets dropout modules drop
    less, as the layers behind them have fewer connections left. ``distill`` is the weight of the dense original's
    answers in the loss, compared at ``distill_temperature``.
    """

    model_config = ConfigDict(serialize_by_alias=True)

    final_epochs: int | None = Field(default=None, ge=0)
    start: Literal["survivors", "rewind", "reinit", "scratch"] = Field(default="survivors", alias="from")
    rewind_epoch: int = Field(default=0, ge=0)
    freeze: Literal["none", "alternate"] = "none"
    adjust_dropout: bool = False
    distill: float = Field(default=0.0, ge=0, le=1)
    distill_temperature: float = Field(default=4.0, gt=0)

    @model_validator(mode="after")
    def _every_key_does_something(self) -> Retrain:
        if self.start != "rewind" and self.rewind_epoch:
            raise ValueError(f"rewind_epoch does nothing when from is {self.start!r}; remove it")
        if not self.distill and self.distill_temperature != type(self).model_fields["distill_temperature"].default:
            raise ValueError("distill_temperature does nothing when distill is 0; remove it")
        if self.distill and self.fit is not None:
            raise ValueError("distill does nothing when fit trains; remove it")
        if self.start == "scratch" and self.final_epochs is not None:
            raise ValueError("final_epochs does nothing when from is 'scratch', which takes train.epochs; remove it")
        return self


class Export(Table):
    """How the network becomes ONNX."""

    opset: int = Field(default=20, ge=18, le=23)


class Tune(Table):
    """The budget per network and target: measured candidates, and seconds after which no new one is started."""

    trials: int = Field(default=64, ge=0)
    seconds: float = Field(default=600.0, gt=0)


class Measure(Table):
    """How a binary is timed: warm-up runs, timed runs, and the number of golden inputs each board must answer."""

    warmup: int = Field(default=50, ge=0)
    samples: int = Field(default=1000, ge=1)
    golden: int = Field(default=16, ge=1)


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
    export: Export = Export()
    tune: Tune = Tune()
    measure: Measure = Measure()

    @model_validator(mode="before")
    @classmethod
    def _scratch_takes_trains_keys(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        train, retrain = data.get("train"), data.get("retrain")
        if not isinstance(train, dict) or not isinstance(retrain, dict) or retrain.get("from") != "scratch":
            return data
        shared = {"learning_rate": Train.model_fields["learning_rate"].default}
        shared |= {key: train[key] for key in ("epochs", "learning_rate") if key in train}
        return data | {"retrain": shared | retrain}

    @model_validator(mode="after")
    def _retraining_fits_training(self) -> Recipe:
        if self.retrain.start == "scratch":
            for key in ("epochs", "learning_rate"):
                if getattr(self.retrain, key) != getattr(self.train, key):
                    raise ValueError(f"retrain.{key} is train.{key} when retrain.from is 'scratch'; remove it")
        if self.retrain.freeze == "alternate" and (self.prune.schedule == "one-shot" or self.prune.rounds < 2):
            raise ValueError("retrain.freeze 'alternate' needs two rounds or more; raise prune.rounds")
        if self.retrain.start == "rewind":
            if self.retrain.rewind_epoch > self.train.epochs:
                raise ValueError(
                    f"retrain.rewind_epoch is {self.retrain.rewind_epoch}, but train.epochs is {self.train.epochs}"
                )
            if self.train.fit is not None and self.retrain.rewind_epoch:
                raise ValueError("retrain.rewind_epoch can only be 0 with train.fit, which shows no epochs")
        return self
