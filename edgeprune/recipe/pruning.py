"""What a recipe says of pruning."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from edgeprune.toml_file import Table


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
    scope: Literal["uniform", "local", "global"] = "uniform"
    schedule: Literal["one-shot", "iterative", "cubic"] = "iterative"
    rounds: int = Field(default=3, ge=1)
    amount: float = Field(gt=0, lt=1)
    unit: Literal["channels", "parameters", "macs"] = "channels"
    round_to: int = Field(default=1, ge=1)
    min_channels: int = Field(default=1, ge=1)
    exclude: list[str] = []
    override: list[Override] = []

    @model_validator(mode="before")
    @classmethod
    def _one_shot_is_one_round(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("schedule") == "one-shot":
            return {"rounds": 1} | data
        return data

    @model_validator(mode="after")
    def _every_key_does_something(self) -> Prune:
        if self.granularity == "weight":
            self.refuse("granularity is 'weight'", "round_to", "min_channels", "unit")
        if self.criterion == "han":
            if self.granularity != "weight":
                raise ValueError("criterion 'han' is a threshold for single weights; set granularity to 'weight'")
            self.refuse("criterion is 'han'", "scope")
        if self.schedule == "one-shot" and self.rounds != 1:
            raise ValueError("rounds is 1 when schedule is 'one-shot'; remove it")
        return self
