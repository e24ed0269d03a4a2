"""Temporary directories that the next process of their kind removes where theirs was killed."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edgeprune.abandoned import held, remove_abandoned

# What `tempfile` puts behind a prefix.
_RANDOM = "[a-z0-9_]{8}"


@contextmanager
def scratch_directory(kind: str) -> Iterator[Path]:
    """Yield an empty temporary directory for work of this ``kind``; it goes when the block ends.

    Those of the kind that killed processes left go first.
    """
    prefix = f"edgeprune-{kind}-"
    remove_abandoned(Path(tempfile.gettempdir()), prefix + _RANDOM)
    with tempfile.TemporaryDirectory(prefix=prefix) as name, held(Path(name)):
        yield Path(name)
