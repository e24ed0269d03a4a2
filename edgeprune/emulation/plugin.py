"""The counting plugin: compiled on first use for the QEMU that is to load it."""

from __future__ import annotations

from pathlib import Path

from edgeprune.emulation.native_build import build_shared
from edgeprune.emulation.qemu import Qemu
from edgeprune.emulation.unavailable import Unavailable
from edgeprune.errors import StageFailure

DECODERS = ("decode_a64.c", "decode_a64_vector.c", "decode_a32.c", "decode_a32_vector.c", "decode_t32.c")
MODEL = ("core.c", "caches.c", "pipeline.c")


def build_plugin(qemu: Qemu) -> Path | Unavailable:
    """Return the plugin's shared library for ``qemu``, compiled unless the cache has it."""
    if not qemu.plugins:
        return Unavailable(
            f"{qemu.path} ({qemu.version}) was built without plugins",
            "use a QEMU with plugins, such as Debian bookworm's qemu-user (not qemu-user-static)",
        )
    # The number that QEMU compares with the interfaces it supports: see plugin_api.h.
    interface = 1 if qemu.release < (9, 0) else 2 if qemu.release < (9, 1) else 3
    try:
        return build_shared(("count.c", "translated.c", *MODEL, *DECODERS), f"-DEDGEPRUNE_PLUGIN_VERSION={interface}")
    except StageFailure as failure:
        return Unavailable(f"the plugin cannot be compiled: {failure}", "see `edgeprune doctor`")
