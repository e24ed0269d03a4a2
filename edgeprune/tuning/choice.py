"""The doubtful choices of a build: what is faster on one board and network and slower on the next."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

from edgeprune.lowering import Lowered
from edgeprune.target import Target


@dataclass(frozen=True)
class Choice:
    """One way to build a network: with or without tuning records, and how it is lowered.

    ``winograd`` and ``winograd_tiles`` are the target's keys of these names (`Cpu`).
    """

    name: str
    tuned: bool
    winograd: bool | float
    winograd_tiles: Literal[2, 4]

    def applied(self, target: Target) -> Target:
        """Return ``target``, lowered for as this choice has it."""
        keys = {"winograd": self.winograd, "winograd_tiles": self.winograd_tiles}
        return target.model_copy(update={"cpu": target.cpu.model_copy(update=keys)})

    def relowers(self, target: Target) -> bool:
        """Return whether the network must be lowered otherwise than the target's own keys say."""
        return (self.winograd, self.winograd_tiles) != (target.cpu.winograd, target.cpu.winograd_tiles)

    def as_dict(self) -> dict[str, Any]:
        """Return JSON-able values."""
        return dict(vars(self))

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Choice:
        """Return the choice that ``as_dict`` described."""
        return cls(**data)


BASELINE = "default schedules"
TUNED = "tuned schedules"


def choices_for(target: Target, lowered: Lowered) -> tuple[Choice, ...]:
    """Return what to compare on ``target``: the baseline, then from the plainest choice to the most unusual one.

    ``lowered`` is the network as the target's own keys have it: what does not occur in it is no choice.
    """
    winograd, tiles = target.cpu.winograd, target.cpu.winograd_tiles
    found = [Choice(BASELINE, False, winograd, tiles), Choice(TUNED, True, winograd, tiles)]
    sizes = _winograd_sizes(lowered)
    if sizes:
        found.append(Choice("no Winograd", True, False, tiles))
    if 4 in sizes:
        found.append(Choice("Winograd without F(4, 3)", True, winograd, 2))
    return tuple(found)


def _winograd_sizes(lowered: Lowered) -> set[int]:
    """Return the sizes of tiles that occur, which lowering has in the names of kernels."""
    return {int(size) for kernel in lowered.kernel_nodes for size in re.findall(r"winograd(\d)", kernel)}
