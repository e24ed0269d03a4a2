"""TVM's client for one RPC server, with limits on how long anything may take."""

from __future__ import annotations

import importlib
import queue
import threading
from collections.abc import Callable
from typing import Any

from edgeprune.errors import StageFailure
from edgeprune.measuring.rpc.line import Line
from edgeprune.measuring.transport import BoardLost

_CONNECT_S = 10.0
_IMPORT_S = 300.0
_CONNECTING = "connecting"
_PATIENCE_S = 3.0
_END_S = 10.0
# The server ends a session of this length by itself, so that a user who fell silent does not keep the board for ever.
_SESSION_S = 4 * 3600


class RpcSession:
    """A session that belongs to a thread of its own: TVM's calls cannot be interrupted, but their line can be cut.

    Every remote object is kept until the line is cut: TVM gives one back with a message to the server whose answer it
    awaits without letting other threads run, and the line is one of them.
    """

    def __init__(self, board: str, host: str, port: int) -> None:
        """Connect to the server's port.

        Raises:
            BoardLost: there is none.
        """
        self.board = board
        try:
            self._line = Line(host, port, _CONNECT_S)
        except OSError as error:
            raise BoardLost(f"board {board}: cannot be reached: {error.strerror or error}") from None
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._session: Any = None
        self._functions: dict[str, Any] = {}
        self._libraries: list[Any] = []
        self._thread = threading.Thread(target=self._loop, name=f"session of {board}", daemon=True)
        self._thread.start()

    def open(self, key: str, seconds: float, waiting: Callable[[], None]) -> None:
        """Wait until the server is free and has let us in; ``waiting`` is called when that takes its time.

        Raises:
            BoardLost: it refused the key, or the line broke.
            StageFailure: it was not free within ``seconds``.
        """

        def connect() -> None:
            from tvm import rpc

            self._session = rpc.connect("127.0.0.1", self._line.port, key, session_timeout=_SESSION_S)

        self._do("loading TVM", _IMPORT_S, lambda: importlib.import_module("tvm.rpc"))
        patience = min(_PATIENCE_S, seconds)
        outcome = self._submit(connect)
        if not outcome.done.wait(patience):
            waiting()
            outcome.done.wait(max(0.0, seconds - patience))
        if not outcome.done.is_set():
            self.close()
            raise StageFailure(
                f"board {self.board}: busy: its server serves somebody else for longer than {seconds:g} s"
            )
        self._result(outcome, _CONNECTING)

    def call(self, name: str, *arguments: str | int | bytearray, seconds: float) -> Any:
        """Return what the board's function ``name`` answers: one of the server's own or of a library from `load`.

        Raises:
            BoardLost: the line broke, or nothing came back within ``seconds``.
            StageFailure: the board refused.
        """
        return self._do(f"{name} ran", seconds, lambda: self._function(name)(*arguments))

    def load(self, name: str, seconds: float) -> None:
        """Have the server load the library that was uploaded as ``name``.

        Raises:
            BoardLost, StageFailure: as for `call`.
        """
        self._do(f"loading {name}", seconds, lambda: self._libraries.append(self._session.load_module(name)))

    def close(self) -> None:
        """End the session; calling it again does nothing."""
        self._work.put(None)
        self._line.cut()
        self._thread.join(_END_S)

    def _submit(self, work: Callable[[], Any]) -> _Outcome:
        outcome = _Outcome()

        def task() -> None:
            try:
                outcome.value = work()
            # TVM raises nearly anything; what it means is judged where the outcome is read.
            except BaseException as error:
                outcome.error = error
            outcome.done.set()

        self._work.put(task)
        return outcome

    def _do(self, what: str, seconds: float, work: Callable[[], Any]) -> Any:
        outcome = self._submit(work)
        if not outcome.done.wait(seconds):
            self.close()
            raise BoardLost(f"board {self.board}: lost: {what}, but gave no answer within {seconds:g} s")
        return self._result(outcome, what)

    def _function(self, name: str) -> Any:
        if name not in self._functions:
            own = name.startswith("tvm.") or not self._libraries
            self._functions[name] = self._session.get_function(name) if own else self._libraries[-1][name]
        return self._functions[name]

    def _result(self, outcome: _Outcome, what: str) -> Any:
        if outcome.error is None:
            return outcome.value
        lines = [line for line in str(outcome.error).strip().splitlines() if line.strip()]
        complaint = lines[-1].strip() if lines else type(outcome.error).__name__
        # A server that ends a session says so with a message that the client did not wait for.
        if self._line.broken or "kShutdown" in complaint:
            raise BoardLost(f"board {self.board}: lost while {what}: the connection ended")
        if what == _CONNECTING:
            raise BoardLost(f"board {self.board}: cannot be reached: {complaint}")
        raise StageFailure(f"board {self.board}: {what}: {complaint}")

    def _loop(self) -> None:
        while (task := self._work.get()) is not None:
            task()
        self._line.join()
        self._functions.clear()
        self._libraries.clear()
        self._session = None


class _Outcome:
    """What a piece of work gave, once it is done."""

    def __init__(self) -> None:
        self.done = threading.Event()
        self.value: Any = None
        self.error: BaseException | None = None
