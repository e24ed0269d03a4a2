"""Boards that run a stock TVM RPC server: programs are run there by a small library that the server loads."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from edgeprune.errors import StageFailure
from edgeprune.measuring.elf_machine import refuse_wrong_isa
from edgeprune.measuring.rpc.session import RpcSession
from edgeprune.measuring.rpc.tracker import Lent, request_board
from edgeprune.measuring.shell_transport import with_retries
from edgeprune.measuring.transport import Completed
from edgeprune.measuring.whoami import whoami
from edgeprune.target import Address

_SERVER = "tvm.rpc.server"
_LAUNCHER = "edgeprune-launcher.so"
_ANSWER_S = 60.0
_TRANSFER_S = 900.0
# How long one question to the board waits for the program's end; the kernel wakes it, nothing is polled there.
_WAIT_MS = 2000
_BUSY_S = 1.0
_RUNNING, _WRONG_ISA = -11, -8
# TVM's client refuses a 33rd session; whoever wants one waits here, before a tracker has lent a board for it.
_sessions = threading.BoundedSemaphore(32)


class RpcTransport:
    """Runs programs on one board through its RPC server; a board behind a tracker is asked for by key.

    The session's process on the board holds the programs: when it ends, in whatever way, a guardian there kills what
    runs and removes the directory.
    """

    emulated = False

    def __init__(self, address: Address, launcher: Path, notify: Callable[[str], None] = lambda message: None) -> None:
        self.name = address.way
        self.address = address
        self._notify = notify
        self.board = address.text
        self._closed = False
        _sessions.acquire()
        try:
            self._session = with_retries(self._connect, notify)
        except BaseException:
            _sessions.release()
            raise
        try:
            self._directory = str(self._session.call(f"{_SERVER}.workpath", "", seconds=_ANSWER_S)).rstrip("/")
            self._load(launcher.read_bytes())
            self.machine = self._hold()
        except BaseException:
            self.close()
            raise

    def push(self, file: Path) -> str:
        """Copy ``file`` to the session's directory, executable if it is here, and see that all of it arrived."""
        place = self.place(file.name)
        try:
            refuse_wrong_isa(file, self.machine, self.board)
            content, mode = bytearray(file.read_bytes()), 0o755 if os.access(file, os.X_OK) else 0o644
        except OSError as error:
            raise StageFailure(f"cannot copy {file} to {self.board}: {error.strerror}") from error
        self._upload(file.name, content)
        arrived = self._ask("settle", place, mode, len(content))
        if arrived != len(content):
            why = os.strerror(-arrived) if arrived < 0 else f"{arrived} of {len(content)} bytes arrived: disk full"
            raise StageFailure(f"cannot copy {file} to {self.board}: {why}")
        return place

    def place(self, name: str) -> str:
        """Return the path of ``name`` in the session's directory."""
        return f"{self._directory}/{name}"

    def run(self, argv: Sequence[str], *, timeout: float) -> Completed:
        """Run a program in the session's directory; it is killed when ``timeout`` seconds have passed."""
        what, until = Path(argv[0]).name, time.monotonic() + timeout
        self._upload("request", bytearray(b"".join(word.encode() + b"\0" for word in argv)))
        started = self._ask("start")
        if started != 0:
            hint = ": it is a program for another CPU" if started == _WRONG_ISA else ""
            raise StageFailure(f"board {self.board}: {what} cannot be started: {os.strerror(-started)}{hint}")
        while (code := self._ask("wait", max(0, min(_WAIT_MS, int(1000 * (until - time.monotonic())))))) == _RUNNING:
            if time.monotonic() >= until:
                self._ask("stop")
                raise StageFailure(f"board {self.board}: {what} did not end within {timeout:g} s and was killed")
        if code < 0:
            raise StageFailure(f"board {self.board}: {what} cannot be waited for: {os.strerror(-code)}")
        return Completed(code if code < 256 else 256 - code, self._download("output"), self._download("errors"))

    def pull(self, path: str, file: Path) -> None:
        """Copy the board's ``path`` to ``file``, which gets its name once it is whole."""
        content = self._download(path.removeprefix(f"{self._directory}/"))
        partial = file.with_name(file.name + ".part")
        try:
            partial.write_bytes(content)
            partial.replace(file)
        except OSError as error:
            raise StageFailure(f"cannot write {file}: {error.strerror}") from error

    def close(self) -> None:
        """End the session: the server is free again, and the guardian tidies up."""
        if not self._closed:
            self._closed = True
            self._session.close()
            _sessions.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _connect(self) -> RpcSession:
        lent = self._lent()
        session = RpcSession(self.board, lent.host, lent.port)
        session.open(
            lent.key,
            self.address.wait,
            lambda: self._notify(f"{self.board}: waiting: its server serves somebody else"),
        )
        return session

    def _lent(self) -> Lent:
        if self.address.way == "rpc":
            assert self.address.port is not None
            return Lent(self.address.host, self.address.port, self.address.key)
        lent = request_board(self.address)
        self.board = f"{self.address.text} at {lent.host}:{lent.port}"
        return lent

    def _load(self, launcher: bytes) -> None:
        """A library that is cut short would crash the server, which does not notice that its disk is full."""
        self._upload(_LAUNCHER, bytearray(launcher))
        arrived = self._download(_LAUNCHER)
        if arrived != launcher:
            why = f"{len(arrived)} of {len(launcher)} bytes arrived: disk full"
            raise StageFailure(f"board {self.board}: has no room for a working directory: {why}")
        self._session.load(_LAUNCHER, _ANSWER_S)

    def _hold(self) -> str:
        until, told = time.monotonic() + self.address.wait, False
        while (status := self._ask("hold", self._directory, whoami(), int(self.address.lock))) == 1:
            owner = self._download("board").decode(errors="replace").partition("\n")[2].strip() or "another user"
            if time.monotonic() >= until:
                raise StageFailure(f"board {self.board}: busy: {owner} holds it")
            if not told:
                self._notify(f"{self.board}: waiting for {owner}, who holds the board")
                told = True
            time.sleep(_BUSY_S)
        if status != 0:
            raise StageFailure(f"board {self.board}: cannot be held: {os.strerror(-status)}")
        return self._download("board").decode(errors="replace").partition("\n")[0]

    def _ask(self, function: str, *arguments: str | int) -> int:
        return int(self._session.call(f"edgeprune_{function}", *arguments, seconds=_ANSWER_S))

    def _upload(self, name: str, content: bytearray) -> None:
        self._session.call(f"{_SERVER}.upload", name, content, seconds=_TRANSFER_S)

    def _download(self, name: str) -> bytes:
        return bytes(self._session.call(f"{_SERVER}.download", name, seconds=_TRANSFER_S))
