"""What a recipe says of pruning."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from edgeprune.recipe.callable_spec import name_or_callable
from edgeprune.toml_file import Table

Criterion = Annotated[
    str,
    name_or_callable("l1", "l2", "han", "bn-scale", "taylor", "activation-mean", "apoz", "geometric-median", "random"),
]
Schedule = Annotated[str | list[float], name_or_callable("one-shot", "iterative", "cubic")]


def _every(value: int | str) -> int | str:
    if value in ("round", "epoch") or (isinstance(value, int) and value >= 1):
        return value
    raise ValueError(f"write 'round', 'epoch' or a number of steps, not {value!r}")


class Override(Table):
    """A different amount for the layers whose dotted name matches the shell pattern."""

    pattern: str
    amount: float = Field(ge=0, lt=1)


class Prune(Table):
    """What is removed and how much of it.

    ``amount`` is the fraction to remove, counted in ``unit``; the two ``round_to`` and ``min_channels`` bound what is
    left of every layer. Overrides give a layer's own fraction of channels. ``aggregate`` and ``normalise`` say how the
    scores of coupled layers become one (default: the criterion's own way). ``criterion`` and ``schedule`` may be the
    user's own functions; a ``schedule`` may also name the fraction that is gone after each round.
    """

    granularity: Literal["channel", "group", "head", "weight", "row", "column"] = "channel"
    criterion: Criterion = "l1"
    aggregate: Literal["mean", "max", "sum"] | None = None
    normalise: Literal["none", "mean", "max"] | None = None
    scope: Literal["uniform", "local", "global"] = "uniform"
    schedule: Schedule = "iterative"
    rounds: int = Field(default=3, ge=1)
    every: Annotated[int | str, AfterValidator(_every)] = "round"
    amount: float = Field(gt=0, lt=1)
    of: Literal["original", "current"] = "original"
    unit: Literal["channels", "parameters", "macs"] = "channels"
    round_to: int = Field(default=1, ge=1)
    rounding: Literal["nearest", "up", "down"] = "nearest"
    min_channels: int = Field(default=1, ge=1)
    exclude: list[str] = []
    override: list[Override] = []
    amounts_from: str | None = None

    @property
    def masks_only(self) -> bool:
        """Whether weights are held at zero without a plan of channels."""
        return self.granularity in ("weight", "row", "column")

    def scaled(self, share: float) -> Prune:
        """Return these settings with ``share`` of the amount, of every override's as well."""
        override = [entry.model_copy(update={"amount": share * entry.amount}) for entry in self.override]
        return self.model_copy(update={"amount": share * self.amount, "override": override})

    @model_validator(mode="before")
    @classmethod
    def _schedule_says_how_many_rounds(cls, data: Any) -> Any:
        schedule = data.get("schedule", "") if isinstance(data, dict) else ""
        if not isinstance(schedule, str | list):
            raise ValueError(f"schedule: write a name, a list of fractions or file.py:callable, not {schedule!r}")
        if schedule == "one-shot":
            return {"rounds": 1} | data
        if isinstance(schedule, list):
            return {"rounds": len(schedule)} | data
        return data

    @model_validator(mode="after")
    def _every_key_does_something(self) -> Prune:
        if self.masks_only:
            keys = ("round_to", "rounding", "min_channels", "unit", "aggregate", "normalise")
            self.refuse(f"granularity is {self.granularity!r}", *keys)
        if self.amounts_from is not None:
            self.refuse("amounts_from gives every layer its amount", "scope", "unit", "override")
        if self.round_to == 1:
            self.refuse("round_to is 1", "rounding")
        if self.criterion == "han":
            if self.granularity != "weight":
                raise ValueError("criterion 'han' is a threshold for single weights; set granularity to 'weight'")
            self.refuse("criterion is 'han'", "scope", "amounts_from")
        if self.criterion == "random" or ":" in self.criterion:
            self.refuse(f"criterion is {self.criterion!r}, which gives one score by itself", "aggregate", "normalise")
        if self.schedule == "one-shot" and self.rounds != 1:
            raise ValueError("rounds is 1 when schedule is 'one-shot'; remove it")
        if self.rounds == 1:
            self.refuse("there is one round", "every")
        if isinstance(self.schedule, list):
            _check_list(self.schedule, self.rounds, self.amount)
        return self


def _check_list(schedule: list[float], rounds: int, amount: float) -> None:
    if len(schedule) != rounds:
        raise ValueError(f"schedule names {len(schedule)} amounts, but rounds is {rounds}; remove rounds")
    rising = [0.0, *schedule]
    if any(after <= before for before, after in pairwise(rising)):
        raise ValueError(f"schedule: the fractions gone after each round must rise from above 0, not be {schedule}")
    if not math.isclose(schedule[-1], amount, rel_tol=1e-9):
        raise ValueError(f"schedule ends at {schedule[-1]:g}, but amount is {amount:g}")
