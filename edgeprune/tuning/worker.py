"""The parent's side of a worker process: jobs out, outcomes back, restarts after crashes and time-outs."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from edgeprune.errors import StageFailure
from edgeprune.tuning.nursery import Nursery, last_words

_REDO_SECONDS = 120.0

Job = dict[str, Any]
Outcome = dict[str, Any]


class Worker:
    """One process that does one job at a time and outlives all but those that kill it.

    ``cores`` are those it may use. ``on_restart`` gives the jobs a fresh process must do first,
    because the lost one held their results.
    """

    def __init__(
        self, nursery: Nursery, log: Path, cores: tuple[int, ...], on_restart: Callable[[], list[Job]] = lambda: []
    ) -> None:
        self._nursery = nursery
        self._log = log
        self._cores = cores
        self._on_restart = on_restart
        self._deadline: float | None = None
        self._paused_at: float | None = None
        self._child = nursery.spawn(log, cores)

    @property
    def connection(self) -> Connection:
        """Return what becomes readable when an outcome is there."""
        return self._child.connection

    @property
    def idle(self) -> bool:
        """Whether a job can be submitted."""
        return self._deadline is None

    def submit(self, job: Job, seconds: float) -> None:
        """Start ``job``, to be given up after ``seconds``; the worker must be idle."""
        assert self.idle
        try:
            self.connection.send_bytes(json.dumps(job).encode())
        except (BrokenPipeError, ConnectionError):
            raise StageFailure(f"a tuning process ended between two jobs: {last_words(self._log)}") from None
        self._deadline = time.monotonic() + seconds

    def poll(self) -> Outcome | None:
        """Return the outcome of the running job once it is there, else ``None``.

        A dead process gives the reason "crashed", a job past its time "timed out"; both start a fresh process.
        """
        if self._deadline is None:
            return None
        if self.connection.poll():
            try:
                outcome: Outcome = json.loads(self.connection.recv_bytes())
            except (EOFError, ConnectionError):
                return self._replace("crashed")
            self._deadline = None
            return outcome
        return self._replace("timed out") if time.monotonic() > self._deadline else None

    def call(self, job: Job, seconds: float) -> Outcome:
        """Do ``job`` and wait for its outcome."""
        self.submit(job, seconds)
        while True:
            outcome = self.poll()
            if outcome is not None:
                return outcome
            wait([self.connection], timeout=0.2)

    def pause(self) -> None:
        """Stop the process where it is, and its job's time with it."""
        self._child.signal(signal.SIGSTOP)
        self._paused_at = time.monotonic()

    def resume(self) -> None:
        """Let it go on."""
        assert self._paused_at is not None
        if self._deadline is not None:
            self._deadline += time.monotonic() - self._paused_at
        self._paused_at = None
        self._child.signal(signal.SIGCONT)

    def close(self) -> None:
        """End the process; a job still running is given up."""
        self._child.kill()

    def _replace(self, reason: str) -> Outcome:
        self._child.kill()
        detail = last_words(self._log) or "it left no message"
        self._deadline = None
        self._child = self._nursery.spawn(self._log, self._cores)
        for job in self._on_restart():
            outcome = self.call(job, _REDO_SECONDS)
            if "reason" in outcome:
                raise StageFailure(f"a restarted tuning process failed at what worked before: {outcome['detail']}")
        return {"reason": reason, "detail": detail}
