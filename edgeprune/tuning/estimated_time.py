"""What a record's time means where no board was timed: cycles by a model of the core, at its clock."""

from __future__ import annotations

import hashlib

from edgeprune.emulation import Unavailable
from edgeprune.measuring.board_core import BoardCore, board_core
from edgeprune.target import Target

# Where a target does not say its clock; only ratios of times decide what is built.
_ASSUMED_MHZ = 1000


def clock_mhz(core: BoardCore) -> int:
    """Return the clock that cycles are turned into time at."""
    return core.max_mhz if core.max_mhz is not None else _ASSUMED_MHZ


def model_key(target: Target) -> str:
    """Return a content key of the model and the clock: a changed model makes its own database."""
    core = board_core(target)
    content = "none" if isinstance(core, Unavailable) else f"{core.table}{clock_mhz(core)}"
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def basis(target: Target) -> str:
    """Return in words where the times of ``target``'s records come from."""
    core = board_core(target)
    if not target.emulated:
        return f"timed on {target.name}"
    if isinstance(core, Unavailable):
        return "nothing"
    assumed = "" if core.max_mhz is not None else " (assumed)"
    return f"estimated by the {core.core.model} model of {core.core.name} at {clock_mhz(core)} MHz{assumed}"
