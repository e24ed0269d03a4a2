"""A program of this machine that stands for one on a board: ssh, adb. It lives as long as its input stays open."""

from __future__ import annotations

import os
import select
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from edgeprune.errors import UserError

_END_S = 10.0


class BoardProcess:
    """A started program whose standard input is a pipe that only this process can end.

    When this process dies, in whatever way, the kernel ends the pipe, and the board's side sees that. The program is
    out of the terminal's reach: an interrupt hits edgeprune alone, which then tidies up.
    """

    def __init__(self, argv: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        theirs, self._input = os.pipe()
        try:
            self.process = subprocess.Popen(
                list(argv),
                stdin=theirs,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=None if environment is None else dict(environment),
                start_new_session=True,
            )
        except OSError as error:
            os.close(self._input)
            raise UserError(f"{argv[0]} cannot be started: {error.strerror}; it is needed to reach the board") from None
        finally:
            os.close(theirs)
        self._line = b""

    def read_line(self, seconds: float) -> str | None:
        """Return the next line of its output, ``None`` when the output ended or ``seconds`` are over."""
        assert self.process.stdout is not None
        descriptor, until = self.process.stdout.fileno(), time.monotonic() + seconds
        while b"\n" not in self._line:
            ready, _, _ = select.select([descriptor], [], [], max(0.0, until - time.monotonic()))
            got = os.read(descriptor, 65536) if ready else b""
            if not got:
                return None
            self._line += got
        line, _, self._line = self._line.partition(b"\n")
        return line.decode(errors="replace").rstrip("\r")

    def collect(self, seconds: float, given: Path | None = None) -> tuple[bytes, bytes]:
        """Wait for its end and return its two output streams; ``given`` is fed to it and its input ended then.

        Raises:
            subprocess.TimeoutExpired: it did not end; it runs on.
        """
        if given is not None:
            self.process.stdin = os.fdopen(self._input, "wb")
            self._input = -1
        content = None if given is None else given.read_bytes()
        return self.process.communicate(content, timeout=seconds)

    def end(self, seconds: float = _END_S) -> bytes:
        """End its input, wait ``seconds`` for it to end in order, kill it otherwise; return its error stream."""
        if self._input >= 0:
            os.close(self._input)
            self._input = -1
        try:
            return self.process.communicate(timeout=seconds)[1]
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.communicate()[1]
        except ValueError:
            # Its streams were read to their end and closed before.
            self.process.wait()
            return b""
