"""A number that says where it came from, or why it is not there."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

Provenance: TypeAlias = Literal["measured", "emulated", "estimated", "computed"]
Unit: TypeAlias = Literal[
    "%",
    "points",
    "parameters",
    "MACs",
    "FLOP",
    "FLOP/s",
    "B",
    "B/s",
    "us",
    "s",
    "instructions",
    "cycles",
    "channels",
    "epochs",
    "trials",
    "1",
]

PROVENANCES: tuple[Provenance, ...] = get_args(Provenance)

MEANING: dict[Provenance, str] = {
    "measured": "timed or run on that device itself",
    "emulated": "counted exactly, or run, under an emulator of that device's CPU",
    "estimated": "given by a stated model, not by a run",
    "computed": "counted from the network, the data or the files",
}


class Part(BaseModel):
    """A piece of a report: immutable, strictly typed, finite numbers only, no key nobody reads."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Figure(Part):
    """One number with its unit and provenance, or the reason for its absence; never both, never neither.

    ``unit`` "us" is microseconds, "B" bytes, "1" a number without dimension (a ratio, a relative error).
    """

    value: int | float | None
    unit: Unit
    provenance: Provenance | None
    reason: str | None = None

    @model_validator(mode="after")
    def _present_or_explained(self) -> Figure:
        if (self.value is None) != (self.provenance is None):
            raise ValueError("a value needs a provenance, and a provenance a value")
        if (self.value is None) != bool(self.reason):
            raise ValueError("a figure without a value needs a reason, and one with a value has none")
        return self

    @classmethod
    def measured(cls, value: float, unit: Unit) -> Figure:
        """Return a figure timed or run on the device itself."""
        return Figure(value=value, unit=unit, provenance="measured")

    @classmethod
    def emulated(cls, value: float, unit: Unit) -> Figure:
        """Return a figure counted under an emulator."""
        return Figure(value=value, unit=unit, provenance="emulated")

    @classmethod
    def estimated(cls, value: float, unit: Unit) -> Figure:
        """Return a figure a stated model gave."""
        return Figure(value=value, unit=unit, provenance="estimated")

    @classmethod
    def computed(cls, value: float, unit: Unit) -> Figure:
        """Return a count: parameters, bytes, accuracy of the network on a split."""
        return Figure(value=value, unit=unit, provenance="computed")

    @classmethod
    def absent(cls, reason: str, unit: Unit) -> Figure:
        """Return a figure that is not there; ``reason`` reads "not run: no QEMU found; run tools/fetch_qemu.py"."""
        return Figure(value=None, unit=unit, provenance=None, reason=reason)


class Accuracy(Part):
    """How many samples of a split were classified correctly; ``percent`` is ``100 * correct / total``."""

    correct: int | None = Field(ge=0)
    total: int | None = Field(ge=1)
    percent: Figure

    @model_validator(mode="after")
    def _percent_matches_counts(self) -> Accuracy:
        if self.percent.unit != "%":
            raise ValueError("accuracy is given in %")
        counts = (self.correct, self.total)
        if self.percent.value is None:
            if counts != (None, None):
                raise ValueError("an absent accuracy has no counts")
            return self
        if self.correct is None or self.total is None or self.correct > self.total:
            raise ValueError("accuracy needs 0 <= correct <= total")
        if abs(self.percent.value - 100 * self.correct / self.total) > 1e-9:
            raise ValueError(f"{self.percent.value} % is not {self.correct} of {self.total}")
        return self

    @classmethod
    def of(cls, correct: int, total: int, provenance: Provenance = "computed") -> Accuracy:
        """Return the accuracy of ``correct`` out of ``total`` samples."""
        percent = Figure(value=100 * correct / total, unit="%", provenance=provenance)
        return Accuracy(correct=correct, total=total, percent=percent)

    @classmethod
    def absent(cls, reason: str) -> Accuracy:
        """Return an accuracy that was not determined."""
        return Accuracy(correct=None, total=None, percent=Figure.absent(reason, "%"))
