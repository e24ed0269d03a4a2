"""The learning rate as a pure function of the step."""

from __future__ import annotations

import math
from typing import Literal

Decay = Literal["constant", "cosine", "one-cycle"]

_WARM_UP = 0.3
_START = 0.1
_END = 0.001


def learning_rate(*, decay: Decay, base: float, step: int, steps: int) -> float:
    """Return the rate of ``step`` (from 0) out of ``steps``.

    ``cosine`` falls from ``base`` towards 0 along half a cosine (Loshchilov and Hutter 2017, without restarts).
    ``one-cycle`` rises linearly from a tenth of ``base`` to ``base`` in the first 30 % of the steps, then falls along
    half a cosine to a thousandth of it (after Smith 2018; the momentum stays as it is).

    Raises:
        ValueError: ``step`` is not in ``[0, steps)``.
    """
    if not 0 <= step < steps:
        raise ValueError(f"step {step} is not one of {steps} steps")
    if decay == "constant":
        return base
    if decay == "cosine":
        return base * 0.5 * (1 + math.cos(math.pi * step / steps))
    peak = _WARM_UP * steps
    if step < peak:
        return base * (_START + (1 - _START) * step / peak)
    fallen = 0.5 * (1 + math.cos(math.pi * (step - peak) / (steps - peak)))
    return base * (_END + (1 - _END) * fallen)
