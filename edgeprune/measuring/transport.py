"""How a program gets to run on a board, whatever lies between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from edgeprune.errors import StageFailure


class BoardLost(StageFailure):
    """A board cannot be reached, or not any more: what ran there can be run again, there later or elsewhere now."""


@dataclass(frozen=True)
class Completed:
    """A program that ended: its exit code (negative: the signal that ended it) and its two output streams."""

    code: int
    output: bytes
    errors: bytes

    @property
    def complaint(self) -> str:
        """The last line it wrote to its error stream."""
        lines = self.errors.decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else "no message"


class Transport(Protocol):
    """A working directory on a board, and programs run in it, for as long as the transport is open.

    Paths on the board are plain strings. `close` removes the directory and ends what still runs.
    Every method raises `StageFailure` when the board refuses, and `BoardLost` when it cannot be reached.
    """

    @property
    def name(self) -> str:
        """The transport's kind as addresses name it: "local", "qemu", "ssh", "adb", "rpc", "tracker"."""

    @property
    def board(self) -> str:
        """Which board it is, for messages and results: its address."""

    @property
    def emulated(self) -> bool:
        """Whether the board's CPU is emulated, so that times mean nothing."""

    def push(self, file: Path) -> str:
        """Copy ``file`` to the board, executable if it is here; return its path there."""

    def place(self, name: str) -> str:
        """Return the path on the board where a program may write a file called ``name``."""

    def run(self, argv: Sequence[str], *, timeout: float) -> Completed:
        """Run a program on the board and wait at most ``timeout`` seconds for its end."""

    def pull(self, path: str, file: Path) -> None:
        """Copy the board's ``path`` to ``file``."""

    def close(self) -> None:
        """Leave nothing on the board."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
