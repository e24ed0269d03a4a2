"""The two networks a run carries side by side."""

from __future__ import annotations

from typing import Literal, get_args

Variant = Literal["dense", "pruned"]
VARIANTS: tuple[Variant, ...] = get_args(Variant)
