"""From a target to the model of its core, with the cache sizes of the board."""

from __future__ import annotations

from dataclasses import dataclass

from edgeprune.emulation import Core, Unavailable, core_names, load_core
from edgeprune.target import Target


@dataclass(frozen=True)
class BoardCore:
    """The model of a board's first core, the plugin's ``table`` of it, and its clock in MHz if the target says.

    ``assumed`` names the caches whose size the target does not say, so that the core's usual one is taken.
    """

    core: Core
    table: str
    max_mhz: int | None
    assumed: tuple[str, ...]


def board_core(target: Target) -> BoardCore | Unavailable:
    """Return the model of the core that code for ``target`` is generated for: its first."""
    first = target.cores[0]
    core = load_core(first.kind)
    if core is None:
        return Unavailable(
            f"there is no cycle model of {first.kind}", f"set cores.kind to one of {', '.join(core_names())}"
        )
    table = core.table(first.l1d_kib, first.l2_kib, first.l3_kib)
    assumed = [name for name, kib in (("L1", first.l1d_kib), ("L2", first.l2_kib)) if kib is None]
    return BoardCore(core, table, first.max_mhz, tuple(assumed))
