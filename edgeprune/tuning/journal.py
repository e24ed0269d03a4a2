"""Append-only files of JSON lines that survive kills and concurrent writers."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edgeprune.errors import StageFailure, UserError


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Hold the directory's lock against other processes; released by the system when a holder dies."""
    with (directory / "lock").open("ab") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(handle, fcntl.LOCK_UN)


class Journal:
    """One JSON document per line. Every method but ``path`` must be called with the directory locked."""

    def __init__(self, path: Path, mend: str = "remove that line") -> None:
        """``mend`` is what a user is to do about a line that is damaged."""
        self.path = path
        self._mend = mend
        self._offset = 0
        self._line = 0

    def drop_unfinished_tail(self) -> int:
        """Cut off bytes after the last newline, which a killed writer left behind, and return their number."""
        if not self.path.exists():
            self.path.touch()
            return 0
        content = self.path.read_bytes()
        unfinished = len(content) - (content.rfind(b"\n") + 1)
        if unfinished:
            os.truncate(self.path, len(content) - unfinished)
        return unfinished

    def read_new(self, parse: Callable[[Any], Any] = lambda document: document) -> list[Any]:
        """Return what ``parse`` makes of the documents appended since the last call, by whichever process.

        Raises:
            UserError: a line is not JSON, or ``parse`` cannot read the document; the message names file and line.
        """
        with self.path.open("rb") as handle:
            handle.seek(self._offset)
            content = handle.read()
        documents = []
        for line in content.splitlines():
            self._line += 1
            try:
                documents.append(parse(json.loads(line)))
            except (ValueError, TypeError, KeyError, IndexError, AttributeError):
                raise UserError(f"{self.path}: line {self._line} is damaged; {self._mend}") from None
        self._offset += len(content)
        return documents

    def append(self, document: Any) -> None:
        """Add one line and bring it to the disk.

        Raises:
            StageFailure: the disk is full or the file cannot be written; what was written before stays intact.
        """
        line = json.dumps(document, separators=(",", ":")).encode() + b"\n"
        size = self.path.stat().st_size
        try:
            with self.path.open("ab") as handle:
                handle.write(line)
                handle.flush()
                os.fsync(handle.fileno())
        except OSError as error:
            os.truncate(self.path, size)
            raise StageFailure(
                f"{self.path}: cannot add a record: {error.strerror}; earlier records are kept"
            ) from None
