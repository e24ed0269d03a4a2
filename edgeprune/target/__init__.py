"""Boards as data: what a target file says and how it is found."""

from edgeprune.target.address import Address, split_address
from edgeprune.target.find import find_target, list_targets
from edgeprune.target.schema import MOST_THREADS, Core, Cpu, Emulator, Target, Toolchain

__all__ = [
    "MOST_THREADS",
    "Address",
    "Core",
    "Cpu",
    "Emulator",
    "Target",
    "Toolchain",
    "find_target",
    "list_targets",
    "split_address",
]
