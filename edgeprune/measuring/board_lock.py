"""This machine as a board that several users share: one of them at a time runs on it.

The lock is the one that boards reached by a shell and RPC servers take as well (`board_session.sh`), so that whoever
comes to a machine by whatever way meets whoever is there. The kernel lets go of it when its holder dies.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from edgeprune.errors import StageFailure

LOCK_VARIABLE = "EDGEPRUNE_LOCK_DIRECTORY"
_EVERY_S = 0.2
_here = threading.Lock()


def lock_directory() -> Path:
    """Return the directory of this machine's lock: ``/tmp/edgeprune-lock`` unless the variable says where."""
    return Path(os.environ.get(LOCK_VARIABLE) or "/tmp") / "edgeprune-lock"


@contextmanager
def board_lock(
    who: str, wait: float, notify: Callable[[str], None] = lambda message: None, directory: Path | None = None
) -> Iterator[None]:
    """Hold this machine; ``who`` is shown to those who wait. Threads of one process take turns like processes do.

    Raises:
        StageFailure: somebody held it for longer than ``wait`` seconds.
    """
    until, told = time.monotonic() + wait, False
    place = directory or lock_directory()
    if not _here.acquire(timeout=wait):
        raise StageFailure(f"this machine: another measurement of this process ran longer than {wait:g} s")
    try:
        with _open(place) as stream:
            while not _taken(stream):
                if time.monotonic() >= until:
                    raise StageFailure(f"this machine is busy: {_owner(place)} holds it")
                if not told:
                    notify(f"waiting for {_owner(place)}, who holds this machine")
                    told = True
                time.sleep(_EVERY_S)
            _sign(place, who)
            yield
    finally:
        _here.release()


@contextmanager
def _open(place: Path) -> Iterator[int]:
    """All users share the directory; files in it are made new and never opened for writing."""
    try:
        if not place.is_dir():
            place.mkdir(parents=True, exist_ok=True)
            place.chmod(0o777)
        lock = place / "lock"
        if not lock.exists():
            os.close(os.open(lock, os.O_CREAT | os.O_WRONLY, 0o666))
        descriptor = os.open(lock, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise StageFailure(f"{place}: the board's lock cannot be opened: {error.strerror}") from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _sign(place: Path, who: str) -> None:
    """Only for messages: a lock that cannot be signed holds all the same."""
    owner = place / "owner"
    try:
        owner.unlink(missing_ok=True)
        with owner.open("x", encoding="utf-8") as stream:
            stream.write(who + "\n")
    except OSError:
        return


def _owner(place: Path) -> str:
    try:
        return (place / "owner").read_text(encoding="utf-8", errors="replace").strip() or "another user"
    except OSError:
        return "another user"
