"""Times of a program that an emulator ran, though the target says that the board itself would."""

from __future__ import annotations

import platform

from edgeprune.errors import StageFailure
from edgeprune.measuring.bench_run import BenchRun
from edgeprune.measuring.transport import Transport
from edgeprune.target import Target


def refuse_hidden_emulation(board: Transport, run: BenchRun, target: Target) -> None:
    """Refuse a run under QEMU, which Linux may hand a foreign binary to by itself (binfmt_misc), here or on the board.

    The kernel then calls the process by the emulator's name. A program on this machine also sees another machine.

    Raises:
        StageFailure: it was emulated.
    """
    process = run.environment.get("process") or ""
    if process.startswith("qemu"):
        raise StageFailure(f"{target.name}: {board.board} ran the program under {process}, so its times mean nothing")
    seen = run.environment["uname"]["machine"]
    if board.name == "local" and seen != platform.machine():
        raise StageFailure(
            f"{target.name}: the program sees {seen}, but this machine is {platform.machine()}: it ran under an "
            f"emulator, so its times mean nothing; set transport = 'qemu' in the target"
        )
