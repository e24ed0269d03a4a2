"""An emulated board: this machine with QEMU's user mode in between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgeprune.emulation import (
    CyclesEstimate,
    InstructionCount,
    Qemu,
    Unavailable,
    build_plugin,
    read_count,
    read_cycles,
    read_regions,
)
from edgeprune.measuring.board_core import BoardCore
from edgeprune.measuring.local_transport import LocalTransport
from edgeprune.measuring.transport import Completed


@dataclass(frozen=True)
class Counted:
    """A program that ended under the plugin: its instructions and estimated cycles, or why there are none."""

    done: Completed
    instructions: InstructionCount | Unavailable
    cycles: CyclesEstimate | Unavailable


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

    def count(self, argv: Sequence[str], *, timeout: float, modelled: BoardCore | Unavailable) -> Counted:
        """Run a program that brackets one region; count it, and estimate its cycles, where a plugin can be had.

        Without one the program runs all the same. A program that failed has no count: look at its exit code first.
        """
        plugin = build_plugin(self.qemu)
        if isinstance(plugin, Unavailable):
            return Counted(self.run(argv, timeout=timeout), plugin, plugin)
        counts, table = Path(self.place("counts.json")), Path(self.place("core.table"))
        options = {"out": str(counts)}
        if isinstance(modelled, BoardCore):
            table.write_text(modelled.table)
            options["core"] = str(table)
        done = self._emulate(self.qemu.command(argv, cpu=self.cpu, plugin=plugin, options=options), timeout)
        if done.code != 0:
            failed = Unavailable(f"the emulated program failed: {done.complaint}", "see its message")
            return Counted(done, failed, failed)
        cycles = read_cycles(counts, modelled.core) if isinstance(modelled, BoardCore) else modelled
        return Counted(done, read_count(counts), cycles)

    def count_each(
        self, argv: Sequence[str], *, timeout: float, modelled: BoardCore
    ) -> tuple[Completed, list[CyclesEstimate | Unavailable]] | Unavailable:
        """Run a program that brackets many regions; return how it ended, and the cycles of those it had closed."""
        plugin = build_plugin(self.qemu)
        if isinstance(plugin, Unavailable):
            return plugin
        regions, table = Path(self.place("regions.jsonl")), Path(self.place("core.table"))
        regions.unlink(missing_ok=True)
        table.write_text(modelled.table)
        options = {"each": str(regions), "core": str(table)}
        done = self._emulate(self.qemu.command(argv, cpu=self.cpu, plugin=plugin, options=options), timeout)
        return done, read_regions(regions, modelled.core)

    def _emulate(self, command: Sequence[str], timeout: float) -> Completed:
        return self._start(command, timeout=timeout, environment=self.qemu.environment())
