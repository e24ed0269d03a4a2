"""The instruction-counting plugin: compiled on first use for the QEMU that is to load it."""

from __future__ import annotations

import hashlib
import platform
import tempfile
from pathlib import Path

from edgeprune.cache import cache_directory
from edgeprune.emulation.qemu import Qemu
from edgeprune.emulation.unavailable import Unavailable
from edgeprune.errors import StageFailure
from edgeprune.shipped import shipped_directory
from edgeprune.toolchain.zig import run_zig, zig_version

# QEMU itself needs a glibc newer than this; it provides the C library to its plugins.
_GLIBC = "2.28"
_FLAGS = ("-std=c11", "-Wall", "-Wextra", "-Werror", "-O2", "-shared", "-fPIC", "-fvisibility=hidden")


def build_plugin(qemu: Qemu) -> Path | Unavailable:
    """Return the plugin's shared library for ``qemu``, compiled by zig unless the cache has it.

    The cache key is the content of the sources, the flags and the compiler's version.
    """
    if not qemu.plugins:
        return Unavailable(
            f"{qemu.path} ({qemu.version}) was built without plugins",
            "use a QEMU with plugins, such as Debian bookworm's qemu-user (not qemu-user-static)",
        )
    sources = shipped_directory("qemu_plugin")
    # The number that QEMU compares with the interfaces it supports: see plugin_api.h.
    interface = 1 if qemu.major < 9 else 2
    host = f"{platform.machine()}-linux-gnu.{_GLIBC}"
    flags = ("-target", host, *_FLAGS, f"-DEDGEPRUNE_PLUGIN_VERSION={interface}")
    try:
        library = cache_directory("qemu-plugin") / f"{_content_key(sources, flags, zig_version())}.so"
        if not library.is_file():
            _compile(sources / "count.c", flags, library)
    except StageFailure as failure:
        return Unavailable(f"the plugin cannot be compiled: {failure}", "see `edgeprune doctor`")
    return library


def _content_key(sources: Path, flags: tuple[str, ...], zig: str) -> str:
    digest = hashlib.sha256(repr((flags, zig)).encode())
    for source in sorted(sources.glob("*.[ch]")):
        digest.update(source.name.encode() + b"\0" + source.read_bytes())
    return digest.hexdigest()[:20]


def _compile(source: Path, flags: tuple[str, ...], library: Path) -> None:
    with tempfile.TemporaryDirectory(dir=library.parent) as scratch:
        made = Path(scratch) / library.name
        run_zig(f"compiling {source.name}", ["cc", *flags, str(source), "-o", str(made)])
        made.replace(library)
