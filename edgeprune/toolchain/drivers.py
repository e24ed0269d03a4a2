"""The user's own GCC or Clang, and Android's NDK: compilers with one driver program and an archiver."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from edgeprune.errors import UserError
from edgeprune.target import Target
from edgeprune.toolchain.process import run_tool

_INLINE_ATOMICS = "-mno-outline-atomics"


@dataclass(frozen=True)
class DriverToolchain:
    """Compiles and links by one driver; ``machine`` are the options that say for what machine, at every step."""

    driver: Path
    archiver: Path
    machine: tuple[str, ...]

    def compile(self, source: Path, output: Path, flags: Sequence[str]) -> None:
        """Compile a C or assembly file into an object file."""
        self._run(f"compiling {source.name}", [*flags, *self._inline_atomics(), "-c", str(source), "-o", str(output)])

    def compile_together(self, sources: Sequence[Path], output: Path, flags: Sequence[str]) -> None:
        """Compile several C files into one object file."""
        objects = [output.with_name(f"{output.stem}_{source.stem}.o") for source in sources]
        for source, part in zip(sources, objects, strict=True):
            self.compile(source, part, flags)
        # Without -nostdlib an old GCC would put start-up files into it.
        self._run(f"joining {output.name}", ["-r", "-nostdlib", *map(str, objects), "-o", str(output)])

    def link_executable(self, objects: Sequence[Path], output: Path, flags: Sequence[str]) -> None:
        """Link a static executable: a dynamic one would want a board with this compiler's C library or a newer one."""
        libraries = ["-lm"]
        self._run(f"linking {output.name}", ["-static", *flags, *map(str, objects), *libraries, "-o", str(output)])

    def link_shared(self, objects: Sequence[Path], output: Path, flags: Sequence[str]) -> None:
        """Link a shared library against this compiler's C library."""
        libraries = [flag for flag in flags if flag.startswith("-l")]
        others = [flag for flag in flags if flag not in libraries]
        # GNU's linker looks into a library for what was asked before it.
        self._run(f"linking {output.name}", ["-shared", *others, *map(str, objects), *libraries, "-o", str(output)])

    def archive(self, objects: Sequence[Path], output: Path) -> None:
        """Make a static library without timestamps or user ids."""
        command = [str(self.archiver), "rcsD", str(output), *map(str, objects)]
        run_tool(self.archiver.name, f"archiving {output.name}", command)

    def versions(self) -> dict[str, str]:
        """Return the driver's first line about itself."""
        answer = run_tool(self.driver.name, "asking for its version", [str(self.driver), "--version"])
        return {self.driver.name: answer.splitlines()[0].strip()}

    def _inline_atomics(self) -> tuple[str, ...]:
        """Return what keeps atomic operations out of the compiler's own library, if this compiler knows the option.

        Compilers for 64-bit ARM would call functions that a program linked by another compiler may not have; older
        ones do not, and neither they nor those for other CPUs know the option.
        """
        return (_INLINE_ATOMICS,) if _accepts(self.driver, self.machine, _INLINE_ATOMICS) else ()

    def _run(self, what: str, arguments: Sequence[str]) -> None:
        run_tool(self.driver.name, what, [str(self.driver), *self.machine, *arguments])


@cache
def _accepts(driver: Path, machine: tuple[str, ...], option: str) -> bool:
    command = [str(driver), *machine, "-Werror", option, "-x", "c", "-S", os.devnull, "-o", os.devnull]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


class GccToolchain(DriverToolchain):
    """A cross GCC with its binutils, as distributions and board makers give it."""

    @classmethod
    def for_target(cls, target: Target) -> GccToolchain:
        """Return what the target file asks for.

        Raises:
            UserError: a program is not there; the key to mend is named.
        """
        settings = target.toolchain
        prefix = settings.prefix if settings.prefix is not None else f"{settings.triple}-"
        driver = _program(target, f"{prefix}gcc", settings.path)
        archiver = _program(target, f"{prefix}ar", settings.path)
        return cls(driver, archiver, (*_cpu(target), *_sysroot(target), *settings.options))


class ClangToolchain(DriverToolchain):
    """The machine's own Clang with LLVM's linker and archiver, and a C library under ``toolchain.sysroot``."""

    @classmethod
    def for_target(cls, target: Target) -> ClangToolchain:
        """Return what the target file asks for.

        Raises:
            UserError: a program is not there; the key to mend is named.
        """
        settings = target.toolchain
        driver = _program(target, "clang", settings.path)
        archiver = _program(target, "llvm-ar", settings.path)
        machine = (f"--target={settings.triple}", "-fuse-ld=lld", "-Wno-unused-command-line-argument")
        return cls(driver, archiver, (*machine, *_cpu(target), *_sysroot(target), *settings.options))


class NdkToolchain(DriverToolchain):
    """Android's NDK: Clang with Android's own C library; ``triple`` carries the API level."""

    @classmethod
    def for_target(cls, target: Target) -> NdkToolchain:
        """Return what the target file asks for.

        Raises:
            UserError: there is no NDK where the target file or the environment says.
        """
        settings = target.toolchain
        programs = _ndk_programs(target)
        machine = (f"--target={settings.triple}", "-Wno-unused-command-line-argument")
        driver = _program(target, "clang", str(programs))
        archiver = _program(target, "llvm-ar", str(programs))
        return cls(driver, archiver, (*machine, *_cpu(target), *settings.options))


def _ndk_programs(target: Target) -> Path:
    named = target.toolchain.path or os.environ.get("ANDROID_NDK_HOME") or os.environ.get("ANDROID_NDK_ROOT")
    if not named:
        raise UserError(
            f"target {target.name}: toolchain.path: no Android NDK; name its directory here or in ANDROID_NDK_HOME"
        )
    found = sorted(Path(named).expanduser().glob("toolchains/llvm/prebuilt/*/bin"))
    if not found:
        raise UserError(
            f"target {target.name}: toolchain.path: {named} holds no Android NDK (toolchains/llvm/prebuilt)"
        )
    return found[0]


def _program(target: Target, name: str, directory: str | None) -> Path:
    where = str(Path(directory).expanduser()) if directory is not None else None
    found = shutil.which(name, path=where)
    if found is not None:
        return Path(found)
    if where is not None:
        raise UserError(f"target {target.name}: toolchain.path: no program {name!r} in {where}")
    raise UserError(
        f"target {target.name}: toolchain.kind: no program {name!r} on PATH; install it, name its directory in "
        f'toolchain.path, or take kind = "zig", which needs no installation'
    )


def _cpu(target: Target) -> tuple[str, ...]:
    return (f"-mcpu={target.toolchain.cpu}",) if target.toolchain.cpu is not None else ()


def _sysroot(target: Target) -> tuple[str, ...]:
    sysroot = target.toolchain.sysroot
    if sysroot is None:
        return ()
    path = Path(sysroot).expanduser()
    if not path.is_dir():
        raise UserError(f"target {target.name}: toolchain.sysroot: no such directory: {sysroot}")
    return (f"--sysroot={path}",)
