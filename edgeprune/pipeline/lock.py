"""One run at a time in one run directory."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edgeprune.errors import UserError


@contextmanager
def run_lock(root: Path) -> Iterator[None]:
    """Hold the run directory for this process; the kernel lets go of it even after a kill.

    Raises:
        UserError: another process works there, or the directory cannot be written.
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
        stream = (root / ".lock").open("a+", encoding="utf-8")
    except OSError as error:
        raise UserError(
            f"{root}: cannot be used as a run directory: {error.strerror}; choose another with --out"
        ) from None
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            stream.seek(0)
            holder = stream.read().strip() or "unknown"
            raise UserError(
                f"{root}: another edgeprune (process {holder}) is working there; wait or use --out"
            ) from None
        stream.truncate(0)
        stream.write(str(os.getpid()))
        stream.flush()
        yield
