"""The instruction-counting plugin: compiled on first use for the QEMU that is to load it."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from edgeprune.cache import cache_directory
from edgeprune.emulation.qemu import Qemu
from edgeprune.emulation.unavailable import Unavailable
from edgeprune.shipped import shipped_directory

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
    try:
        zig = version("ziglang")
    except PackageNotFoundError:
        return Unavailable("the compiler for the plugin is missing", "install the Python package ziglang")
    sources = shipped_directory("qemu_plugin")
    # The number that QEMU compares with the interfaces it supports: see plugin_api.h.
    interface = 1 if qemu.major < 9 else 2
    host = f"{platform.machine()}-linux-gnu.{_GLIBC}"
    flags = ("-target", host, *_FLAGS, f"-DEDGEPRUNE_PLUGIN_VERSION={interface}")
    library = cache_directory("qemu-plugin") / f"{_content_key(sources, flags, zig)}.so"
    if library.is_file():
        return library
    return _compile(sources / "count.c", flags, library)


def _content_key(sources: Path, flags: tuple[str, ...], zig: str) -> str:
    digest = hashlib.sha256(repr((flags, zig)).encode())
    for source in sorted(sources.glob("*.[ch]")):
        digest.update(source.name.encode() + b"\0" + source.read_bytes())
    return digest.hexdigest()[:20]


def _compile(source: Path, flags: tuple[str, ...], library: Path) -> Path | Unavailable:
    environment = os.environ | {"ZIG_GLOBAL_CACHE_DIR": str(cache_directory("zig"))}
    with tempfile.TemporaryDirectory(dir=library.parent) as scratch:
        made = Path(scratch) / library.name
        command = [sys.executable, "-m", "ziglang", "cc", *flags, str(source), "-o", str(made)]
        environment["ZIG_LOCAL_CACHE_DIR"] = scratch
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)
        if done.returncode != 0:
            return Unavailable(
                f"the plugin does not compile: {done.stderr.strip()}", "see the compiler's message; `edgeprune doctor`"
            )
        made.replace(library)
    return library
