"""QEMU's user mode: found, fetched without root, and made to count instructions."""

from edgeprune.emulation.count import InstructionCount, read_count
from edgeprune.emulation.fetch import Fetched, fetch_qemu
from edgeprune.emulation.find import find_qemu
from edgeprune.emulation.plugin import build_plugin
from edgeprune.emulation.qemu import Qemu
from edgeprune.emulation.unavailable import Unavailable

__all__ = [
    "Fetched",
    "InstructionCount",
    "Qemu",
    "Unavailable",
    "build_plugin",
    "fetch_qemu",
    "find_qemu",
    "read_count",
]
