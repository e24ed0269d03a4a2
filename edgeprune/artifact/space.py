"""Saying that a disk is full where the tool that met it does not."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edgeprune.errors import StageFailure

_LEAST_FREE = 4 * 2**20


@contextmanager
def explaining_little_space(directory: Path) -> Iterator[None]:
    """Say of a failure inside the block that ``directory``'s disk is nearly full, if it is.

    Raises:
        StageFailure: the one of the block, or in its place that; also where a file could not be written.
    """
    try:
        yield
    except OSError as error:
        # A failed write does not say which file it was; in the block all of them are in ``directory``.
        reason = error.strerror or error
        raise StageFailure(f"{directory.parent}: cannot be written: {reason}; free some, or set TMPDIR") from error
    except StageFailure as failure:
        if not has_little_space(directory):
            raise
        free = shutil.disk_usage(directory).free
        what = str(failure).splitlines()[0].rstrip(":")
        message = f"{directory.parent}: only {free // 1024} KiB are free there; free some, or set TMPDIR ({what})"
        raise StageFailure(message) from failure


def has_little_space(directory: Path) -> bool:
    """Return whether ``directory``'s disk is nearly full: what fails there may fail for that alone."""
    return shutil.disk_usage(directory).free < _LEAST_FREE
