"""C sources that come with edgeprune, compiled for this machine on first use."""

from __future__ import annotations

import hashlib
import platform
import tempfile
from collections.abc import Sequence
from pathlib import Path

from edgeprune.cache import cache_directory
from edgeprune.shipped import shipped_directory
from edgeprune.toolchain.zig import run_zig, zig_version

# QEMU itself needs a glibc newer than this; it provides the C library to its plugins.
_GLIBC = "2.28"
_FLAGS = ("-std=c11", "-Wall", "-Wextra", "-Werror", "-O2", "-shared", "-fPIC", "-fvisibility=hidden")


def build_shared(names: Sequence[str], *defines: str) -> Path:
    """Return a shared library of the files ``names`` of tools/qemu_plugin, compiled by zig unless the cache has it.

    The cache key is the content of all sources, the flags and the compiler's version.

    Raises:
        StageFailure: the compiler is not there or refused.
    """
    sources = shipped_directory("qemu_plugin")
    flags = ("-target", f"{platform.machine()}-linux-gnu.{_GLIBC}", *_FLAGS, *defines)
    library = cache_directory("qemu-plugin") / f"{_content_key(sources, (*flags, *names), zig_version())}.so"
    if not library.is_file():
        with tempfile.TemporaryDirectory(dir=library.parent) as scratch:
            made = Path(scratch) / library.name
            files = [str(sources / name) for name in names]
            run_zig(f"compiling {names[0]}", ["cc", *flags, *files, "-o", str(made)])
            made.replace(library)
    return library


def _content_key(sources: Path, flags: tuple[str, ...], zig: str) -> str:
    digest = hashlib.sha256(repr((flags, zig)).encode())
    for source in sorted(sources.glob("*.[ch]")):
        digest.update(source.name.encode() + b"\0" + source.read_bytes())
    return digest.hexdigest()[:20]
