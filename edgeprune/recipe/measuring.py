"""The ``[measure]`` table of a recipe."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from edgeprune.toml_file import Table


def _as_text(value: Any) -> Any:
    return f"{value:g}" if isinstance(value, int | float) and not isinstance(value, bool) else value


def _cooldown(text: str) -> str:
    if not re.fullmatch(r"\d+(\.\d+)?C?", text):
        raise ValueError(f"write seconds (30) or a temperature to wait for (55C), not {text!r}")
    return text


def _affinity(text: str) -> str:
    if not re.fullmatch(r"big|little|0x[0-9A-Fa-f]+|\d+(-\d+)?(,\d+(-\d+)?)*", text):
        raise ValueError(f"write big, little, a mask (0xF0) or a list of cores (4-7), not {text!r}")
    return text


class Measure(Table):
    """How a binary is timed, and the number of golden inputs each board must answer.

    ``protocol`` names how many inferences run untimed and timed, and for how long; ``warmup``, ``samples`` and
    ``seconds`` take the place of its own. ``affinity`` and ``cooldown`` are those of the benchmark executable.
    """

    protocol: Literal["quick", "standard", "mlperf"] = "standard"
    warmup: int | None = Field(default=None, ge=0)
    samples: int | None = Field(default=None, ge=1)
    seconds: float | None = Field(default=None, ge=0)
    threads: int = Field(default=1, ge=1)
    affinity: Annotated[str, BeforeValidator(_as_text), AfterValidator(_affinity)] | None = None
    cooldown: Annotated[str, BeforeValidator(_as_text), AfterValidator(_cooldown)] | None = None
    cold: bool = False
    profile: bool = True
    golden: int = Field(default=16, ge=1)
