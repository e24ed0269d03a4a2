"""Compiling and linking with the ``ziglang`` package: one cross toolchain for every target."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from edgeprune.cache import cache_directory
from edgeprune.target import Target
from edgeprune.toolchain.bionic import STUBS
from edgeprune.toolchain.process import run_tool


@dataclass(frozen=True)
class ZigToolchain:
    """Compiles and links for one board. ``triple`` is for executables, ``shared_triple`` for shared libraries."""

    triple: str
    shared_triple: str
    cpu: str

    @classmethod
    def for_target(cls, target: Target) -> ZigToolchain:
        """Return the toolchain a target file asks for, whose kind must be zig.

        C code for the host is compiled for the baseline CPU: only kernels are worth the newest instructions, and the
        C part stays the same on every machine.
        """
        settings = target.toolchain
        assert settings.shared_triple is not None and settings.cpu is not None  # the schema sees to it
        cpu = "baseline" if settings.cpu == "native" else settings.cpu
        return cls(settings.triple, settings.shared_triple, cpu)

    def compile(self, source: Path, output: Path, flags: Sequence[str]) -> None:
        """Compile a C or assembly file into an object file.

        Raises:
            StageFailure: the compiler refused; its last lines are in the message.
        """
        self._run(f"compiling {source.name}", ["cc", *self._machine(self.triple), *flags, "-c", source, "-o", output])

    def compile_together(self, sources: Sequence[Path], output: Path, flags: Sequence[str]) -> None:
        """Compile several C files into one object file.

        Raises:
            StageFailure: the compiler refused; its last lines are in the message.
        """
        self._run(f"compiling {output.stem}", ["cc", *self._machine(self.triple), "-r", *flags, *sources, "-o", output])

    def link_executable(self, objects: Sequence[Path], output: Path, flags: Sequence[str]) -> None:
        """Link a static executable.

        Raises:
            StageFailure: the linker refused; its last lines are in the message.
        """
        self._run(
            f"linking {output.name}",
            ["cc", *self._machine(self.triple), "-static", *flags, *objects, "-o", output],
        )

    def link_shared(self, objects: Sequence[Path], output: Path, flags: Sequence[str]) -> None:
        """Link a shared library against the oldest libc that ``shared_triple`` names, or against Android's.

        Raises:
            StageFailure: the linker refused; its last lines are in the message.
        """
        if "android" in self.shared_triple:
            self._link_for_android(objects, output, flags)
            return
        self._run(
            f"linking {output.name}",
            ["cc", *self._machine(self.shared_triple), "-shared", *flags, *objects, "-o", output],
        )

    def archive(self, objects: Sequence[Path], output: Path) -> None:
        """Make a static library without timestamps or user ids.

        Raises:
            StageFailure: the archiver refused; its last lines are in the message.
        """
        self._run(f"archiving {output.name}", ["ar", "rcsD", output, *objects])

    def versions(self) -> dict[str, str]:
        """Return zig's version."""
        return {"zig": zig_version()}

    def _link_for_android(self, objects: Sequence[Path], output: Path, flags: Sequence[str]) -> None:
        """Link against stand-ins for Android's libraries, which zig does not have.

        The file is the same for every libc: what makes it Android's is which libraries it asks for. ARM's run-time
        helpers (64-bit division, for one) are in no library of a phone and come from zig, into the file.
        """
        machine = [*self._machine(self.triple), "-shared", "-nostdlib"]
        helpers = ["-rtlib=compiler-rt"] if self.triple.startswith("arm") else []
        kept = [flag for flag in flags if flag != "-lm"]
        with tempfile.TemporaryDirectory(prefix="edgeprune-stubs-") as scratch:
            stubs = [self._stub(name, source, Path(scratch)) for name, source in STUBS.items()]
            self._run(
                f"linking {output.name}",
                ["cc", *machine, "-Wl,--no-undefined", *kept, *objects, *stubs, *helpers, "-o", output],
            )

    def _stub(self, name: str, source: str, scratch: Path) -> Path:
        code, library = scratch / f"{name}.c", scratch / f"stub-{name}"
        code.write_text(source, encoding="utf-8")
        options = ["-ffreestanding", "-fno-builtin", "-w", "-g0", "-shared", "-nostdlib", f"-Wl,-soname,{name}"]
        self._run(f"making a stand-in for {name}", ["cc", *self._machine(self.triple), *options, code, "-o", library])
        return library

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
    return run_tool("zig", what, [sys.executable, "-m", "ziglang", *arguments], environment)


@cache
def zig_version() -> str:
    """Return the installed zig's version.

    Raises:
        StageFailure: the ``ziglang`` package is missing or does not run on this machine.
    """
    return run_zig("asking zig for its version", ["version"]).strip()
