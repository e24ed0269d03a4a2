"""How a candidate fared."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Outcome:
    """``seconds`` per call, or the ``reason`` the candidate failed and what was said about it."""

    seconds: float | None
    reason: str | None = None
    detail: str = ""
