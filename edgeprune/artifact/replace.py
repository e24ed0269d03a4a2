"""Writing a directory as a whole or not at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edgeprune.errors import UserError


@contextmanager
def replacing_directory(destination: Path) -> Iterator[Path]:
    """Yield a fresh directory beside ``destination`` that takes its place when the block succeeds.

    On any failure the fresh directory vanishes and ``destination`` stays as it was.

    Raises:
        UserError: the place cannot be written, or is full.
    """
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=f".{destination.name}-", dir=destination.parent))
    except OSError as error:
        raise UserError(f"{destination}: cannot be written: {error.strerror}") from None
    try:
        fresh.chmod(0o755)
        yield fresh
        _swap(fresh, destination)
    except OSError as error:
        raise UserError(f"{destination}: cannot be written: {error.strerror or error}") from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _swap(fresh: Path, destination: Path) -> None:
    if not destination.exists():
        fresh.rename(destination)
        return
    if not destination.is_dir():
        raise UserError(f"{destination}: is a file, a directory is wanted")
    # A directory cannot be renamed over a full one: the old one steps aside for the moment in between.
    aside = Path(tempfile.mkdtemp(prefix=f".{destination.name}-old-", dir=destination.parent))
    destination.rename(aside / "old")
    fresh.rename(destination)
    shutil.rmtree(aside)
