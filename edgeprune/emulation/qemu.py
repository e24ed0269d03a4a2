"""One user-mode QEMU program: how it is started and what it can do."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Qemu:
    """A user-mode QEMU that was found and answered.

    ``program`` is the emulator's usual name ("qemu-aarch64"), ``path`` its file, ``source`` where it was found
    ("EDGEPRUNE_QEMU_DIR", "cache", "PATH"), ``libraries`` the directories of an unpacked copy that hold its shared
    libraries, ``version`` as it says itself ("7.2.22"), ``cpus`` what ``-cpu`` accepts, ``plugins`` whether it has
    ``-plugin``.
    """

    program: str
    path: Path
    source: str
    libraries: tuple[Path, ...]
    version: str
    cpus: tuple[str, ...]
    plugins: bool

    @property
    def major(self) -> int:
        """The first number of the version."""
        return self.release[0]

    @property
    def release(self) -> tuple[int, int]:
        """The first two numbers of the version."""
        major, minor = [*self.version.split("."), "0"][:2]
        return int(major), int(minor)

    def environment(self) -> dict[str, str]:
        """Return the whole environment to start it in: small, so that guests start alike everywhere."""
        return library_environment(self.libraries)

    def command(
        self, argv: Sequence[str], *, cpu: str, plugin: Path | None = None, options: Mapping[str, str] | None = None
    ) -> list[str]:
        """Return the command line that runs the guest's ``argv`` on ``cpu``, with ``plugin`` and its ``options``."""
        command = [str(self.path), "-cpu", cpu]
        if plugin is not None:
            parts = [str(plugin), *(f"{name}={value}" for name, value in (options or {}).items())]
            # QEMU separates plugin options by commas; a doubled comma stands for itself.
            command += ["-plugin", ",".join(part.replace(",", ",,") for part in parts)]
        return [*command, *argv]


def library_environment(libraries: Sequence[Path]) -> dict[str, str]:
    """Return the environment for a program whose shared libraries lie in ``libraries``."""
    return {"LD_LIBRARY_PATH": ":".join(str(directory) for directory in libraries)} if libraries else {}


def ask(path: Path, libraries: Sequence[Path], *arguments: str) -> str:
    """Return what the QEMU program at ``path`` prints when asked with ``arguments`` (such as ``-version``).

    Its exit code says nothing: ``-cpu help`` of some versions ends with 1 after a full answer.

    Raises:
        OSError: it cannot be started at all.
        ValueError: it has no answer, for example because a shared library is missing; the message says which.
    """
    done = subprocess.run(
        [str(path), *arguments],
        env=library_environment(libraries),
        capture_output=True,
        text=True,
        errors="replace",
        timeout=30,
        check=False,
    )
    if not done.stdout:
        raise ValueError(done.stderr.strip() or f"exit code {done.returncode}")
    return done.stdout
