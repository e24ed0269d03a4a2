"""The typed content of a study file."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from edgeprune.toml_file import Table

Kind = Literal["pruned", "control", "dense"]


def _study_name(name: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", name):
        raise ValueError(f"lower-case letters, digits and dashes only, not {name!r}")
    return name


class Arm(Table):
    """One line of the comparison: the study's recipe with further changes.

    ``pruned`` prunes and retrains the dense network; ``control`` trains the dense network for the same extra epochs
    and prunes nothing; ``dense`` is a network as ``train`` leaves it, for every ratio in ``at`` another one.
    """

    name: str = Field(min_length=1)
    kind: Kind = "pruned"
    drop: list[str] = []
    set: dict[str, Any] = {}
    ratios: list[float] | None = None
    points: Literal["separate", "rounds"] = "separate"
    densities_of: str | None = None
    at: dict[str, dict[str, Any]] = {}

    @model_validator(mode="after")
    def _every_key_does_something(self) -> Arm:
        if self.at and (self.kind != "dense" or self.ratios is not None):
            raise ValueError("at gives networks of other sizes: only for kind 'dense', and in place of ratios")
        if self.kind == "dense" and (self.ratios is not None or self.points != "separate"):
            raise ValueError("ratios and points do nothing for kind 'dense'; use at, or remove them")
        if self.densities_of is not None and (self.kind != "pruned" or self.points != "separate"):
            raise ValueError("densities_of needs kind 'pruned' and points 'separate'")
        for ratio in self.at:
            if not re.fullmatch(r"\d+(\.\d+)?", ratio) or float(ratio) < 1:
                raise ValueError(f"at.{ratio}: the key is a ratio of at least 1")
        return self


class Study(Table):
    """A comparison: one recipe, what all arms change in it, the arms, the operating points and the seeds.

    A ratio is weights before over weights left. Without ``ratios`` every arm has one operating point, the recipe's own
    ``prune.amount``. ``control`` names the arm that losses are counted against; ``axis`` says in the picture what the
    ratios are ratios of.
    """

    name: Annotated[str, AfterValidator(_study_name)]
    title: str = Field(min_length=1)
    question: str = Field(min_length=1)
    recipe: str
    seeds: list[Annotated[int, Field(ge=0)]] = Field(min_length=1)
    ratios: list[Annotated[float, Field(gt=1)]] = []
    axis: str = "compression: weights before / weights left"
    control: str
    drop: list[str] = []
    set: dict[str, Any] = {}
    arm: list[Arm] = Field(min_length=2)

    @model_validator(mode="after")
    def _names_fit(self) -> Study:
        names = [arm.name for arm in self.arm]
        if len(set(names)) != len(names):
            raise ValueError("two arms have the same name")
        if self.control not in names or self.named(self.control).kind == "pruned":
            raise ValueError(f"control: {self.control!r} is not an arm of kind 'control' or 'dense'")
        for arm in self.arm:
            if arm.densities_of is not None and arm.densities_of not in names:
                raise ValueError(f"densities_of: there is no arm {arm.densities_of!r}")
        for ratios in (self.ratios, *(arm.ratios or [] for arm in self.arm)):
            if sorted(set(ratios)) != ratios:
                raise ValueError("ratios must rise")
        if len(set(self.seeds)) != len(self.seeds):
            raise ValueError("a seed is named twice")
        return self

    def named(self, name: str) -> Arm:
        """Return the arm of that name."""
        return next(arm for arm in self.arm if arm.name == name)
