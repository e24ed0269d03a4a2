"""Output directories that appear whole or not at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edgeprune.errors import UserError

# What the first file of each kind of output is called: --force must not take away a directory of somebody else's.
_OWN_FILES = ("manifest.json", "lowered.json", "tuning.json", "stage.json")


@contextmanager
def whole_directory(out: Path, *, force: bool) -> Iterator[Path]:
    """Yield a directory beside ``out`` that takes its name when the block ends without an error.

    Raises:
        UserError: ``out`` exists and is not empty (and ``force`` is not given), or cannot be written beside.
    """
    if out.exists() and not out.is_dir():
        raise UserError(f"{out}: is a file; --out names a directory")
    if out.is_dir() and any(out.iterdir()) and not force:
        raise UserError(f"{out}: holds something already; --force replaces it")
    if out.is_dir() and any(out.iterdir()) and not any((out / name).is_file() for name in _OWN_FILES):
        raise UserError(f"{out}: --force: nothing of edgeprune's lies there; it is left alone")
    try:
        out.absolute().parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.absolute().parent))
    except OSError as error:
        raise UserError(f"{out}: cannot be written: {error.strerror}; choose another --out") from None
    try:
        yield partial
        if out.exists():
            shutil.rmtree(out)
        partial.chmod(0o755)
        partial.rename(out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
