"""The ``[budget]`` table of a recipe."""

from __future__ import annotations

from typing import Literal, get_args

from pydantic import Field, model_validator

from edgeprune.toml_file import Table

Limit = Literal["latency_us", "size_kb", "memory_kb"]
LIMITS: tuple[Limit, ...] = get_args(Limit)


class Budget(Table):
    """What the pruned network may take of one board; ``prune.amount`` is then the most that may go.

    ``latency_us`` is the median time of an inference in microseconds, under an emulator the estimate for the core's
    highest clock; ``size_kb`` what the network adds to a program, weights and code; ``memory_kb`` the arena, what an
    inference works in. 1 kB is 1000 bytes.
    """

    target: str
    latency_us: float | None = Field(default=None, gt=0)
    size_kb: float | None = Field(default=None, gt=0)
    memory_kb: float | None = Field(default=None, gt=0)

    @property
    def limits(self) -> dict[Limit, float]:
        """The limits that were given."""
        found = {key: getattr(self, key) for key in LIMITS}
        return {key: value for key, value in found.items() if value is not None}

    @model_validator(mode="after")
    def _limits_something(self) -> Budget:
        if not self.limits:
            raise ValueError(f"give at least one of {', '.join(LIMITS)}")
        return self
