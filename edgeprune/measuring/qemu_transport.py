"""An emulated board: this machine with QEMU's user mode in between."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgeprune.emulation import InstructionCount, Qemu, Unavailable, build_plugin, read_count
from edgeprune.measuring.local_transport import LocalTransport
from edgeprune.measuring.transport import Completed


class QemuTransport(LocalTransport):
    """Runs programs under ``qemu`` with ``cpu`` enforced, in a temporary directory of this machine."""

    name = "qemu"
    board = "qemu"
    emulated = True

    def __init__(self, qemu: Qemu, cpu: str) -> None:
        super().__init__()
        self.qemu = qemu
        self.cpu = cpu

    def run(self, argv: Sequence[str], *, timeout: float) -> Completed:
        """Run a program under the emulator."""
        return self._emulate(self.qemu.command(argv, cpu=self.cpu), timeout)

    def count(self, argv: Sequence[str], *, timeout: float) -> tuple[Completed, InstructionCount | Unavailable]:
        """Run a program that brackets one region, and count its instructions where a plugin can be had.

        Without one the program runs all the same. A program that failed has no count: look at its exit code first.
        """
        plugin = build_plugin(self.qemu)
        if isinstance(plugin, Unavailable):
            return self.run(argv, timeout=timeout), plugin
        counts = Path(self.place("counts.json"))
        command = self.qemu.command(argv, cpu=self.cpu, plugin=plugin, options={"out": str(counts)})
        done = self._emulate(command, timeout)
        if done.code != 0:
            return done, Unavailable(f"the emulated program failed: {done.complaint}", "see its message")
        return done, read_count(counts)

    def _emulate(self, command: Sequence[str], timeout: float) -> Completed:
        return self._start(command, timeout=timeout, environment=self.qemu.environment())
