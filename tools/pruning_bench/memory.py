"""How much memory a block of code needs at its peak, from the kernel's own count."""

from __future__ import annotations

import ctypes
import gc
from pathlib import Path

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")


class Peak:
    """``extra`` is by how many bytes the resident memory rose at most inside the block (Linux)."""

    def __init__(self) -> None:
        self.extra = 0
        self._before = 0

    def __enter__(self) -> Peak:
        gc.collect()
        # Free pages of earlier work would hide new ones.
        ctypes.CDLL(None).malloc_trim(0)
        _CLEAR.write_text("5")
        self._before = _bytes("VmRSS")
        return self

    def __exit__(self, *_: object) -> None:
        self.extra = max(0, _bytes("VmHWM") - self._before)


def _bytes(key: str) -> int:
    line = next(line for line in _STATUS.read_text(encoding="ascii").splitlines() if line.startswith(f"{key}:"))
    return int(line.split()[1]) * 1024
