"""The parent's side of a worker process: jobs out, outcomes back, restarts after crashes and time-outs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from edgeprune.errors import StageFailure

_START_SECONDS = 120.0
_STOP_SECONDS = 5.0

Job = dict[str, Any]
Outcome = dict[str, Any]


class Worker:
    """One process that does one job at a time and outlives all but those that kill it.

    ``cores`` are those it may use. ``on_restart`` gives the jobs a fresh process must do first,
    because the lost one held their results.
    """

    def __init__(self, log: Path, cores: tuple[int, ...], on_restart: Callable[[], list[Job]] = lambda: []) -> None:
        self._log = log
        self._cores = cores
        self._on_restart = on_restart
        self._deadline: float | None = None
        self._ready = False
        self._process, self.connection = self._spawn()

    @property
    def idle(self) -> bool:
        """Whether a job can be submitted."""
        return self._deadline is None

    def submit(self, job: Job, seconds: float) -> None:
        """Start ``job``, to be given up after ``seconds``; the worker must be idle."""
        assert self.idle
        self._ensure_ready()
        self._send(job)
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

    def close(self) -> None:
        """End the process; a job still running is given up."""
        self.connection.close()
        if not self.idle:
            self._process.kill()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _spawn(self) -> tuple[subprocess.Popen[bytes], Connection]:
        ours, theirs = Pipe(duplex=True)
        arguments = [str(number) for number in (theirs.fileno(), *self._cores)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "TVM_NUM_THREADS": "1"}
        with self._log.open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "edgeprune.tuning.worker_process", *arguments],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
            )
        theirs.close()
        self._ready = False
        return process, ours

    def _ensure_ready(self) -> None:
        if self._ready:
            return
        deadline = time.monotonic() + _START_SECONDS
        while not self.connection.poll(0.1):
            if time.monotonic() > deadline:
                raise StageFailure(
                    f"a tuning process did not start within {_START_SECONDS:.0f} s: {self._last_words()}"
                )
        try:
            self.connection.recv_bytes()
        except (EOFError, ConnectionError):
            raise StageFailure(f"a tuning process ended while starting: {self._last_words()}") from None
        self._ready = True

    def _send(self, job: Job) -> None:
        try:
            self.connection.send_bytes(json.dumps(job).encode())
        except (BrokenPipeError, ConnectionError):
            raise StageFailure(f"a tuning process ended between two jobs: {self._last_words()}") from None

    def _replace(self, reason: str) -> Outcome:
        self._process.kill()
        self._process.wait()
        self.connection.close()
        detail = self._last_words()
        self._deadline = None
        self._process, self.connection = self._spawn()
        for job in self._on_restart():
            outcome = self.call(job, _START_SECONDS)
            if "reason" in outcome:
                raise StageFailure(f"a restarted tuning process failed at what worked before: {outcome['detail']}")
        return {"reason": reason, "detail": detail}

    def _last_words(self) -> str:
        lines = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return lines[-1][:300] if lines else f"exit status {self._process.poll()}"
