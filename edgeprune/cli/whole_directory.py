"""Output directories that appear whole or not at all."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from edgeprune.abandoned import held, remove_abandoned
from edgeprune.errors import EdgepruneError, UserError

# What the first file of each kind of output is called: --force must not take away a directory of somebody else's.
_OWN_FILES = ("manifest.json", "relax-vm.json", "lowered.json", "tuning.json", "stage.json")
_TERMINATED = 128 + signal.SIGTERM


@contextmanager
def whole_directory(out: Path, *, force: bool) -> Iterator[Path]:
    """Yield a directory beside ``out`` that takes its name when the block ends without an error.

    Where the block fails, is interrupted or told to terminate, nothing is left. What a process left that was killed
    outright is removed by the next one that writes to the same place. An error that names the directory names ``out``
    in its place.

    Raises:
        UserError: ``out`` exists and is not empty (and ``force`` is not given), or cannot be written beside.
    """
    _refuse_what_is_there(out, force)
    try:
        out.absolute().parent.mkdir(parents=True, exist_ok=True)
        remove_abandoned(out.absolute().parent, re.escape(f".{out.name}-") + "[a-z0-9_]{8}")
        partial = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.absolute().parent))
    except OSError as error:
        raise UserError(f"{out}: cannot be written: {error.strerror}; choose another --out") from None
    try:
        with held(partial), _terminating_tidily():
            yield partial
            if out.exists():
                shutil.rmtree(out)
            partial.chmod(0o755)
            partial.rename(out)
    except EdgepruneError as error:
        if str(partial) not in str(error):
            raise
        inside = rf"{re.escape(str(partial))}[^\s:;,]*"
        raise type(error)(re.sub(inside, lambda _: str(out), str(error))) from error
    except OSError as error:
        if str(partial) in str(error.filename):
            error.filename = str(out)
        raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _refuse_what_is_there(out: Path, force: bool) -> None:
    if out.exists() and not out.is_dir():
        raise UserError(f"{out}: is a file; --out names a directory")
    if not out.is_dir() or not any(out.iterdir()):
        return
    if not force:
        raise UserError(f"{out}: holds something already; --force replaces it")
    if not any((out / name).is_file() for name in _OWN_FILES):
        raise UserError(f"{out}: --force: nothing of edgeprune's lies there; it is left alone")


@contextmanager
def _terminating_tidily() -> Iterator[None]:
    """Make a request to terminate an exception inside the block, so that what must be undone is."""
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        yield
        return
    owner = os.getpid()

    def leave(_number: int, _frame: FrameType | None) -> None:
        if os.getpid() != owner:  # a forked process has nothing of its own to undo
            os._exit(_TERMINATED)
        sys.exit(_TERMINATED)

    signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
