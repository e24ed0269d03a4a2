"""Finding a user-mode QEMU: where the user says, in edgeprune's cache, on PATH."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from edgeprune.cache import cache_directory
from edgeprune.emulation.qemu import Qemu, ask
from edgeprune.emulation.unavailable import Unavailable

MEND = "run `python -m edgeprune.emulation` (no root needed), install qemu-user, or set EDGEPRUNE_QEMU_DIR"


def find_qemu(program: str, *, cpu: str | None = None) -> Qemu | Unavailable:
    """Return the first working emulator called ``program`` ("qemu-aarch64", "qemu-arm") that knows ``cpu``.

    Looked at, in this order: ``$EDGEPRUNE_QEMU_DIR`` (the directory of the program, or the root of an unpacked
    package), edgeprune's cache, ``PATH``.
    """
    refusals: list[str] = []
    for source, path, libraries in _candidates(program):
        qemu = examine_qemu(program, source, path, libraries)
        if isinstance(qemu, str):
            refusals.append(qemu)
        elif cpu is not None and cpu not in qemu.cpus:
            refusals.append(f"{path} ({qemu.version}) does not know -cpu {cpu}")
        else:
            return qemu
    return Unavailable("; ".join(refusals) or f"{program} is not on this machine", MEND)


def fetched_root() -> Path:
    """Return where ``fetch_qemu`` unpacks to; it need not exist."""
    return cache_directory("qemu") / "root"


def _candidates(program: str) -> Iterator[tuple[str, Path, tuple[Path, ...]]]:
    named = os.environ.get("EDGEPRUNE_QEMU_DIR")
    roots = [("EDGEPRUNE_QEMU_DIR", Path(named).absolute())] if named else []
    for source, root in [*roots, ("cache", fetched_root())]:
        for path in (root / program, root / "bin" / program, root / "usr" / "bin" / program):
            if path.is_file():
                yield source, path, library_directories(root)
    for name in (program, f"{program}-static"):
        found = shutil.which(name)
        if found:
            yield "PATH", Path(found), ()


def library_directories(root: Path) -> tuple[Path, ...]:
    """Return the directories under an unpacked package's ``root`` that hold shared libraries."""
    patterns = ("usr/lib/*-linux-gnu*", "lib/*-linux-gnu*", "usr/lib64", "lib64")
    return tuple(sorted(path for pattern in patterns for path in root.glob(pattern) if path.is_dir()))


def examine_qemu(program: str, source: str, path: Path, libraries: tuple[Path, ...]) -> Qemu | str:
    """Return the working emulator at ``path`` with its ``libraries``, or why it does not work."""
    try:
        version = re.search(r"version (\d+(?:\.\d+)+)", ask(path, libraries, "-version"))
        if version is None:
            return f"{path} does not say its version"
        cpus = _cpu_names(ask(path, libraries, "-cpu", "help"))
        plugins = re.search(r"^-plugin\b", ask(path, libraries, "-help"), re.MULTILINE) is not None
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        return f"{path} does not start: {error}"
    return Qemu(program, path, source, libraries, version.group(1), cpus, plugins)


def _cpu_names(listing: str) -> tuple[str, ...]:
    """Read "Available CPUs:" followed by one indented name a line, as QEMU prints it for ARM."""
    return tuple(line.split()[0] for line in listing.splitlines() if line.startswith(" ") and line.strip())
