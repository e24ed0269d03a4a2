"""Fetching a plugin-capable QEMU without root on Debian and Ubuntu."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from edgeprune.cache import cache_directory
from edgeprune.emulation.apt import PrivateApt, unpack
from edgeprune.emulation.find import fetched_root
from edgeprune.emulation.unavailable import Unavailable
from edgeprune.errors import StageFailure
from edgeprune.progress import Progress, SilentProgress

PACKAGE = "qemu-user"
_KEPT_PROGRAMS = ("qemu-aarch64", "qemu-arm")
_MEND = "install qemu-user by your package manager, or set EDGEPRUNE_QEMU_DIR to a directory with qemu-aarch64"


@dataclass(frozen=True)
class Fetched:
    """An unpacked QEMU: its ``root`` directory and the file names of the ``packages`` it was made of."""

    root: Path
    packages: tuple[str, ...]


def fetch_qemu(progress: Progress | None = None) -> Fetched | Unavailable:
    """Download qemu-user and the shared libraries it lacks here, and unpack them into edgeprune's cache.

    Neither root nor an installation is needed: apt works on lists of its own under the cache, with the machine's
    sources and keys. An earlier copy is replaced only once the new one is whole.
    """
    progress = progress or SilentProgress()
    missing = PrivateApt.missing_programs()
    if missing:
        return Unavailable(f"this machine has no {' and no '.join(missing)} to fetch QEMU with", _MEND)
    with tempfile.TemporaryDirectory(dir=cache_directory("qemu"), prefix="fetch-") as scratch:
        try:
            return _fetch(PrivateApt(Path(scratch) / "apt"), Path(scratch), progress)
        except StageFailure as failure:
            return Unavailable(str(failure), _MEND)


def _fetch(apt: PrivateApt, scratch: Path, progress: Progress) -> Fetched:
    progress.stage("fetch QEMU", 3)
    apt.prepare()
    progress.advance("package lists are here")
    downloads = scratch / "downloads"
    downloads.mkdir()
    files = apt.download(apt.not_installed(PACKAGE), downloads)
    progress.advance(", ".join(file.name for file in files))
    root = scratch / "root"
    for file in files:
        unpack(file, root)
    _keep_needed_programs(root)
    _put_in_place(root)
    progress.advance(f"unpacked to {fetched_root()}")
    return Fetched(fetched_root(), tuple(file.name for file in files))


def _keep_needed_programs(root: Path) -> None:
    """Drop the emulators of other architectures: all of them together take a few hundred megabytes."""
    for program in (root / "usr" / "bin").glob("qemu-*"):
        if program.name not in _KEPT_PROGRAMS:
            program.unlink()


def _put_in_place(root: Path) -> None:
    place = fetched_root()
    if place.exists():
        shutil.rmtree(place)
    root.rename(place)
