"""Fetching a plugin-capable QEMU without root on Debian and Ubuntu."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from edgeprune.cache import cache_directory
from edgeprune.emulation.apt import PrivateApt, unpack
from edgeprune.emulation.find import examine_qemu, fetched_root, library_directories
from edgeprune.emulation.qemu import Qemu
from edgeprune.emulation.unavailable import Unavailable
from edgeprune.errors import StageFailure
from edgeprune.progress import Progress, SilentProgress

PACKAGE = "qemu-user"
DEBIAN_12 = "deb [signed-by={keyring}] http://deb.debian.org/debian bookworm main\n"
_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
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
    sources and keys. Where the machine's release builds QEMU without plugins (Ubuntu 24.04, Debian 13), the one of
    Debian 12 is taken, which has them. An earlier copy is replaced only once the new one is whole.
    """
    progress = progress or SilentProgress()
    missing = PrivateApt.missing_programs()
    if missing:
        return Unavailable(f"this machine has no {' and no '.join(missing)} to fetch QEMU with", _MEND)
    with tempfile.TemporaryDirectory(dir=cache_directory("qemu"), prefix="fetch-") as scratch:
        try:
            return _fetch(Path(scratch), progress)
        except StageFailure as failure:
            return Unavailable(str(failure), _MEND)


def _fetch(scratch: Path, progress: Progress) -> Fetched:
    own = PrivateApt(scratch / "own")
    unpacked = _unpack_qemu(own, scratch / "own-root", progress)
    if not _takes_plugins(unpacked.root):
        progress.note("this release's QEMU takes no plugins; fetching the one of Debian 12 beside it")
        try:
            sources = DEBIAN_12.format(keyring=_debian_keyring(own, scratch))
            unpacked = _unpack_qemu(PrivateApt(scratch / "debian", sources), scratch / "debian-root", progress)
        except StageFailure as failure:
            progress.note(f"{failure}; keeping the QEMU without plugins")
    _put_in_place(unpacked.root)
    return Fetched(fetched_root(), unpacked.packages)


def _unpack_qemu(apt: PrivateApt, root: Path, progress: Progress) -> Fetched:
    progress.stage("fetch QEMU", 3)
    apt.prepare()
    progress.advance("package lists are here")
    files = apt.download(apt.not_installed(PACKAGE), apt.private)
    progress.advance(", ".join(file.name for file in files))
    for file in files:
        unpack(file, root)
    _keep_needed_programs(root)
    progress.advance("unpacked")
    return Fetched(root, tuple(file.name for file in files))


def _takes_plugins(root: Path) -> bool:
    qemu = examine_qemu(_KEPT_PROGRAMS[0], "cache", root / "usr" / "bin" / _KEPT_PROGRAMS[0], library_directories(root))
    return isinstance(qemu, Qemu) and qemu.plugins


def _debian_keyring(own: PrivateApt, scratch: Path) -> Path:
    """Return Debian's archive keys: the machine's, or those in its release's package, whose signature apt checks."""
    if _KEYRING.is_file():
        return _KEYRING
    downloads = scratch / "keyring"
    downloads.mkdir()
    for file in own.download(["debian-archive-keyring"], downloads):
        unpack(file, downloads)
    return downloads / _KEYRING.relative_to("/")


def _keep_needed_programs(root: Path) -> None:
    """Drop the emulators of other architectures: all of them together take a hundred megabytes."""
    for program in (root / "usr" / "bin").glob("qemu-*"):
        if program.name not in _KEPT_PROGRAMS:
            program.unlink()


def _put_in_place(root: Path) -> None:
    place = fetched_root()
    if place.exists():
        shutil.rmtree(place)
    root.rename(place)
