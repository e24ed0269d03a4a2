"""Boards that run a shell for us: what ssh and adb have in common."""

from __future__ import annotations

import os
import re
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from edgeprune.errors import EdgepruneError, StageFailure, UserError
from edgeprune.measuring.board_process import BoardProcess
from edgeprune.measuring.elf_machine import refuse_wrong_isa
from edgeprune.measuring.transport import BoardLost, Completed
from edgeprune.measuring.whoami import whoami
from edgeprune.target import Address

Result = TypeVar("Result")
_TRAILER = re.compile(rb"\n?edgeprune-code (\d+)\r?\n")
# Behind these the exit code of a shell says which signal ended the program.
_SIGNALS = range(129, 193)
_CONNECT_S = 30.0
_TRANSFER_S = 900.0
_RETRY_AFTER_S = (1.0, 3.0)
# The board ends a program by itself so much later than this side would: only where the line broke unseen.
_BOARD_MARGIN_S = 30


class ShellTransport(ABC):
    """Works through processes that each run a shell on the board; one of them holds the board (`board_session.sh`).

    Programs cannot outlive the connection: on the board a watcher kills them when it breaks, and the holder removes
    the working directory. An exit code of 129 to 192 is read as the signal that ended the program.
    """

    emulated = False
    name: str

    def __init__(self, address: Address, notify: Callable[[str], None] = lambda message: None) -> None:
        self.address = address
        self._notify = notify
        self._holder, self.machine, self._directory = with_retries(self._hold, notify)

    @property
    def board(self) -> str:
        """The board's address."""
        return self.address.text

    @abstractmethod
    def _shell(self, command: str, *, first: bool = False) -> list[str]:
        """Return the program of this machine that has the board's shell run ``command``, binary clean, and its words.

        ``first`` marks the one that stays open as long as the transport.
        """

    @abstractmethod
    def _refused(self, complaint: str) -> UserError | None:
        """Return the error for a ``complaint`` that no second attempt would mend, ``None`` for a board out of reach."""

    def push(self, file: Path) -> str:
        """Copy ``file`` to the working directory, executable if it is here."""
        place = self.place(file.name)
        try:
            size, mode = file.stat().st_size, "755" if os.access(file, os.X_OK) else "644"
            refuse_wrong_isa(file, self.machine, self.board)
            done = self._call(
                script("receive", place, mode, str(size)), _TRANSFER_S, f"copying {file.name}", given=file
            )
        except OSError as error:
            raise StageFailure(f"cannot copy {file} to {self.board}: {error.strerror}") from error
        if done.code != 0:
            raise StageFailure(f"cannot copy {file} to {self.board}: {done.complaint}")
        return place

    def place(self, name: str) -> str:
        """Return the path of ``name`` in the working directory."""
        return f"{self._directory}/{name}"

    def run(self, argv: Sequence[str], *, timeout: float) -> Completed:
        """Run a program in the working directory; it is killed when ``timeout`` seconds have passed."""
        limit = str(int(timeout) + _BOARD_MARGIN_S)
        return self._call(script("run", self._directory, limit, *argv), timeout, Path(argv[0]).name)

    def pull(self, path: str, file: Path) -> None:
        """Copy the board's ``path`` to ``file``, which gets its name once it is whole."""
        done = self._call(script("send", path), _TRANSFER_S, f"copying {path}")
        if done.code != 0:
            raise StageFailure(f"cannot copy {path} from {self.board}: {done.complaint}")
        partial = file.with_name(file.name + ".part")
        try:
            partial.write_bytes(done.output)
            partial.replace(file)
        except OSError as error:
            raise StageFailure(f"cannot write {file}: {error.strerror}") from error

    def close(self) -> None:
        """Let go of the board, which then removes the working directory."""
        self._holder.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _call(self, command: str, seconds: float, what: str, given: Path | None = None) -> Completed:
        process = BoardProcess(self._shell(command))
        try:
            output, errors = process.collect(seconds, given)
        except subprocess.TimeoutExpired:
            raise StageFailure(f"board {self.board}: {what} did not end within {seconds:g} s and was killed") from None
        finally:
            process.end()
        trailer = next(reversed(list(_TRAILER.finditer(errors))), None)
        if trailer is None:
            why = errors.decode(errors="replace").strip().splitlines()
            raise BoardLost(f"board {self.board}: lost while {what} ran: {why[-1] if why else 'the connection ended'}")
        code = int(trailer[1])
        return Completed(128 - code if code in _SIGNALS else code, output, errors[: trailer.start()])

    def _hold(self) -> tuple[BoardProcess, str, str]:
        lock, wait = "yes" if self.address.lock else "no", str(int(self.address.wait))
        command = script("session", self.address.directory, lock, wait, whoami())
        holder = BoardProcess(self._shell(command, first=True))
        try:
            machine, directory = self._wait_until_ready(holder)
        except BaseException:
            holder.end()
            raise
        return holder, machine, directory

    def _wait_until_ready(self, holder: BoardProcess) -> tuple[str, str]:
        seconds, told = _CONNECT_S, ""
        while (line := holder.read_line(seconds)) is not None:
            word, _, rest = line.partition(" ")
            if word == "ready":
                machine, _, directory = rest.partition(" ")
                return machine, directory
            if word == "failed":
                raise StageFailure(f"board {self.board}: {rest}")
            if word == "waiting" and line != told:
                seconds, told = _CONNECT_S + self.address.wait, line
                self._notify(f"{self.board}: waiting for {rest or 'another user'}, who holds the board")
        raise self._unreached(holder)

    def _unreached(self, holder: BoardProcess) -> EdgepruneError:
        lines = holder.end().decode(errors="replace").strip().splitlines()
        complaint = lines[-1].strip() if lines else "no answer"
        return self._refused(complaint) or BoardLost(f"board {self.board}: cannot be reached: {complaint}")


def with_retries(attempt: Callable[[], Result], notify: Callable[[str], None]) -> Result:
    """Return what ``attempt`` returns; it is made three times before a board counts as out of reach.

    Raises:
        BoardLost: the last attempt's.
    """
    for pause in _RETRY_AFTER_S:
        try:
            return attempt()
        except BoardLost as lost:
            notify(f"{lost}; trying again")
            time.sleep(pause)
    return attempt()


def script(name: str, *arguments: str) -> str:
    """Return the shell command that runs ``board_NAME.sh`` with ``arguments``; any Bourne shell can read it."""
    return " ".join(["exec sh -c", *map(_quote, (_text(name), "edgeprune", *arguments))])


def _quote(word: str) -> str:
    return "'" + word.replace("'", "'\\''") + "'"


@cache
def _text(name: str) -> str:
    """Comments and indents need not travel."""
    lines = (line.strip() for line in Path(__file__).with_name(f"board_{name}.sh").read_text().splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("#"))
