"""The machine edgeprune runs on as a board."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from edgeprune.errors import StageFailure
from edgeprune.measuring.board_lock import board_lock
from edgeprune.measuring.transport import Completed
from edgeprune.measuring.whoami import whoami
from edgeprune.scratch import scratch_directory

_WAIT_S = 900.0


class LocalTransport:
    """Runs programs here, in a temporary directory that `close` removes; only one at a time on this machine."""

    name = "local"
    board = "local"
    emulated = False

    def __init__(self, notify: Callable[[str], None] = lambda message: None) -> None:
        self._notify = notify
        self._resources = ExitStack()
        self._directory = self._resources.enter_context(scratch_directory("local"))

    def push(self, file: Path) -> str:
        """Copy ``file`` into the working directory, with its permissions."""
        place = self.place(file.name)
        try:
            shutil.copy(file, place)
        except OSError as error:
            raise StageFailure(f"cannot copy {file} to {place}: {error.strerror}") from error
        return place

    def place(self, name: str) -> str:
        """Return the path of ``name`` in the working directory."""
        return str(self._directory / name)

    def run(self, argv: Sequence[str], *, timeout: float) -> Completed:
        """Run a program in the working directory; it is killed when ``timeout`` seconds have passed.

        While another edgeprune's program runs on this machine, this one waits for its end.
        """
        with board_lock(whoami(), _WAIT_S, self._notify):
            return self._start(argv, timeout=timeout, environment=os.environ)

    def pull(self, path: str, file: Path) -> None:
        """Copy ``path`` to ``file``."""
        try:
            shutil.copyfile(path, file)
        except OSError as error:
            raise StageFailure(f"cannot copy {path} to {file}: {error.strerror}") from error

    def close(self) -> None:
        """Remove the working directory."""
        self._resources.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _start(self, argv: Sequence[str], *, timeout: float, environment: Mapping[str, str]) -> Completed:
        try:
            done = subprocess.run(
                list(argv),
                cwd=self._directory,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise StageFailure(f"{Path(argv[0]).name} did not end within {timeout:g} s and was killed") from error
        except OSError as error:
            raise StageFailure(f"{Path(argv[0]).name} cannot be started here: {error.strerror}") from error
        return Completed(done.returncode, done.stdout, done.stderr)
