"""Worker processes forked from one that has imported TVM: each is up in milliseconds, also after a crash."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path

from edgeprune.errors import StageFailure

# Only a guard against a hang: a busy machine takes its time, and a process that fails is noticed at once.
_START_SECONDS = 900.0


class Child:
    """A worker process: the leader of a group of its own. Losing it closes ``connection``'s other end."""

    def __init__(self, pid: int, connection: Connection) -> None:
        self.connection = connection
        self._pid = pid

    def signal(self, number: int) -> None:
        """Send a signal to the process and what it has started; none if they have ended."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.signal(signal.SIGKILL)
        self.connection.close()


class Nursery:
    """The process that the workers are forked from; it and all of them end when this one does."""

    def __init__(self, log: Path) -> None:
        """Start it without waiting until it is up; ``log`` receives what it complains about."""
        self._log = log
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "TVM_NUM_THREADS": "1"}
        with log.open("wb") as stream:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "edgeprune.tuning.nursery_process", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                env=environment,
            )
        theirs.close()
        self._socket.settimeout(_START_SECONDS)

    def spawn(self, log: Path, cores: tuple[int, ...]) -> Child:
        """Return a new worker that may use ``cores`` and complains into ``log``.

        Raises:
            StageFailure: the nursery did not start, or is gone.
        """
        ours, theirs = Pipe(duplex=True)
        with log.open("wb") as stream:
            asked = json.dumps({"cores": cores}).encode()
            try:
                socket.send_fds(self._socket, [asked], [theirs.fileno(), stream.fileno()])
                answer = self._socket.recv(64)
            except TimeoutError:
                raise StageFailure(
                    f"the tuning processes did not start within {_START_SECONDS:.0f} s: {self._last_words()}"
                ) from None
            except OSError as error:
                raise StageFailure(f"the tuning processes ended: {error.strerror}: {self._last_words()}") from None
            finally:
                theirs.close()
        if not answer:
            raise StageFailure(f"the tuning processes ended while starting: {self._last_words()}")
        return Child(int(answer), ours)

    def close(self) -> None:
        """End it and every worker at once."""
        self._socket.close()
        self._process.kill()
        self._process.wait()

    def _last_words(self) -> str:
        return last_words(self._log) or f"exit status {self._process.poll()}"


def last_words(log: Path) -> str:
    """Return the last line of a process's log, empty if it said nothing."""
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1][:300] if lines else ""
