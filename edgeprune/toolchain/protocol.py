"""What every toolchain can do, whoever made it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol


class CToolchain(Protocol):
    """Compiles C and links for one board. Every method raises StageFailure with the tool's last lines if it refuses."""

    def compile(self, source: Path, output: Path, flags: Sequence[str]) -> None:
        """Compile a C or assembly file into an object file."""

    def compile_together(self, sources: Sequence[Path], output: Path, flags: Sequence[str]) -> None:
        """Compile several C files into one object file: a driver's start takes longer than a small file."""

    def link_executable(self, objects: Sequence[Path], output: Path, flags: Sequence[str]) -> None:
        """Link a static executable, which needs nothing but the board's kernel."""

    def link_shared(self, objects: Sequence[Path], output: Path, flags: Sequence[str]) -> None:
        """Link a shared library for the board's own C library."""

    def archive(self, objects: Sequence[Path], output: Path) -> None:
        """Make a static library without timestamps or user ids."""

    def versions(self) -> dict[str, str]:
        """Return the version of each program that decides what comes out, by name."""
