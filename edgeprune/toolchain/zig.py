"""Compiling and linking with the ``ziglang`` package: one cross toolchain for every target."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from edgeprune.cache import cache_directory
from edgeprune.errors import StageFailure
from edgeprune.target import Target, Toolchain

_LINES_SHOWN = 8
# The first link against a libc compiles that libc, which takes a minute on a slow machine.
_TIMEOUT_SECONDS = 900


@dataclass(frozen=True)
class ZigToolchain:
    """Compiles and links for one board. ``triple`` is for executables, ``shared_triple`` for shared libraries."""

    triple: str
    shared_triple: str
    cpu: str

    @classmethod
    def for_target(cls, target: Target) -> ZigToolchain:
        """Return the toolchain a target file asks for.

        C code for the host is compiled for the baseline CPU: only kernels are worth the newest instructions, and the
        C part stays the same on every machine.
        """
        settings: Toolchain = target.toolchain
        cpu = "baseline" if settings.cpu == "native" else settings.cpu
        return cls(settings.triple, settings.shared_triple, cpu)

    def compile(self, source: Path, output: Path, flags: Sequence[str]) -> None:
        """Compile a C or assembly file into an object file.

        Raises:
            StageFailure: the compiler refused; its last lines are in the message.
        """
        self._run(f"compiling {source.name}", ["cc", *self._machine(self.triple), *flags, "-c", source, "-o", output])

    def link_executable(self, objects: Sequence[Path], output: Path, flags: Sequence[str]) -> None:
        """Link a static executable.

        Raises:
            StageFailure: the linker refused; its last lines are in the message.
        """
        arguments = ["cc", *self._machine(self.triple), "-static", *flags, *map(str, objects), "-o", str(output)]
        self._run(f"linking {output.name}", arguments)

    def link_shared(self, objects: Sequence[Path], output: Path, flags: Sequence[str]) -> None:
        """Link a shared library against the oldest libc that ``shared_triple`` names.

        Raises:
            StageFailure: the linker refused; its last lines are in the message.
        """
        arguments = ["cc", *self._machine(self.shared_triple), "-shared", *flags, *map(str, objects), "-o", str(output)]
        self._run(f"linking {output.name}", arguments)

    def archive(self, objects: Sequence[Path], output: Path) -> None:
        """Make a static library without timestamps or user ids.

        Raises:
            StageFailure: the archiver refused; its last lines are in the message.
        """
        self._run(f"archiving {output.name}", ["ar", "rcsD", output, *objects])

    def _machine(self, triple: str) -> list[str]:
        return ["-target", triple, f"-mcpu={self.cpu}"]

    def _run(self, what: str, arguments: Sequence[str | Path]) -> None:
        run_zig(what, [str(argument) for argument in arguments])


def run_zig(what: str, arguments: Sequence[str]) -> str:
    """Run ``zig`` with ``arguments`` and return its standard output; ``what`` names the work in an error.

    Raises:
        StageFailure: it failed or took too long.
    """
    cache_path = str(cache_directory("zig"))
    environment = {**os.environ, "ZIG_GLOBAL_CACHE_DIR": cache_path, "ZIG_LOCAL_CACHE_DIR": cache_path}
    command = [sys.executable, "-m", "ziglang", *arguments]
    try:
        finished = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=_TIMEOUT_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise StageFailure(f"{what}: zig did not finish within {_TIMEOUT_SECONDS} s") from None
    if finished.returncode != 0:
        lines = [line for line in (finished.stderr or finished.stdout).splitlines() if line.strip()]
        shown = "\n".join(lines[-_LINES_SHOWN:]) or f"exit code {finished.returncode}"
        raise StageFailure(f"{what}: zig failed:\n{shown}")
    return finished.stdout


@cache
def zig_version() -> str:
    """Return the installed zig's version.

    Raises:
        StageFailure: the ``ziglang`` package is missing or does not run on this machine.
    """
    return run_zig("asking zig for its version", ["version"]).strip()
