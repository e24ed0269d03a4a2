"""Directories of processes that were killed: a lock, which the system lets go of, says whether anybody works in one."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# Between its making and its locking a directory looks abandoned.
_SECONDS_TO_LOCK = 60


@contextmanager
def held(directory: Path) -> Iterator[None]:
    """Hold the lock on ``directory`` that keeps `remove_abandoned` away."""
    lock = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        _try_lock(lock)
        yield
    finally:
        os.close(lock)


def remove_abandoned(parent: Path, pattern: str) -> None:
    """Remove the directories in ``parent`` whose names match and whose lock no process holds any more."""
    ours = re.compile(pattern)
    for path in parent.iterdir():
        if not ours.fullmatch(path.name) or path.is_symlink() or not path.is_dir():
            continue
        with suppress(OSError):
            if time.time() - path.stat().st_mtime < _SECONDS_TO_LOCK:
                continue
            lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
            try:
                if _try_lock(lock):
                    shutil.rmtree(path, ignore_errors=True)
            finally:
                os.close(lock)


def _try_lock(lock: int) -> bool:
    """Return whether this process holds the lock now; some network file systems have none."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
