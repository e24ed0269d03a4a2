"""The emulator that edgeprune itself finds: on PATH, or in the cache where tools/fetch_qemu.py puts it."""

from __future__ import annotations

import pytest

from edgeprune.emulation import Qemu, Unavailable, find_qemu


def emulator(program: str) -> Qemu:
    """Return the emulator called ``program``; a test that needs it is skipped where there is none."""
    found = find_qemu(program)
    if isinstance(found, Unavailable):
        pytest.skip(found.reason)
    return found
