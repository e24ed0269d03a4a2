"""QEMU's user mode: found, fetched without root, made to count instructions and to estimate a core's cycles."""

from edgeprune.emulation.core_table import Core, core_names, load_core
from edgeprune.emulation.count import (
    MIX_CLASSES,
    CyclesEstimate,
    InstructionCount,
    read_count,
    read_cycles,
    read_regions,
)
from edgeprune.emulation.fetch import Fetched, fetch_qemu
from edgeprune.emulation.find import find_qemu
from edgeprune.emulation.plugin import build_plugin
from edgeprune.emulation.qemu import Qemu
from edgeprune.emulation.unavailable import Unavailable

__all__ = [
    "MIX_CLASSES",
    "Core",
    "CyclesEstimate",
    "Fetched",
    "InstructionCount",
    "Qemu",
    "Unavailable",
    "build_plugin",
    "core_names",
    "fetch_qemu",
    "find_qemu",
    "load_core",
    "read_count",
    "read_cycles",
    "read_regions",
]
