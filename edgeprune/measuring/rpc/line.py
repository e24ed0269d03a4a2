"""The line to an RPC server, in our own hands: TVM's client knows neither time-outs nor boards that fall silent."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading

_CHUNK = 1 << 16
# A peer that answers no probe for 5 + 4 * 5 s is gone, and so is one that takes nothing we send.
_SILENCE = (("TCP_KEEPIDLE", 5), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 4), ("TCP_USER_TIMEOUT", 25_000))


class Line:
    """A connection to ``host:port``, offered to one client of this machine on ``port`` of its loopback.

    Bytes pass both ways until either side ends or `cut` is called; ``broken`` then says that it was not TVM's client.
    """

    def __init__(self, host: str, port: int, seconds: float) -> None:
        """Connect within ``seconds``.

        Raises:
            OSError: the host cannot be reached.
        """
        self._far = socket.create_connection((host, port), timeout=seconds)
        self._far.settimeout(None)
        self._far.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self._far.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for name, value in _SILENCE:
            self._far.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._door.getsockname()[1])
        self.broken = False
        self._carrier = threading.Thread(target=self._carry, name=f"line to {host}:{port}", daemon=True)
        self._carrier.start()

    def cut(self) -> None:
        """End it: whoever waits for the other side gets an error at once."""
        for end in (self._door, self._far):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def join(self) -> None:
        """Wait until it has ended."""
        self._carrier.join()

    def _carry(self) -> None:
        with self._far, self._door:
            try:
                near, _ = self._door.accept()
            except OSError:
                return
            near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with near:
                self._door.close()
                self._pass_on(near)

    def _pass_on(self, near: socket.socket) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(near, selectors.EVENT_READ, self._far)
            selector.register(self._far, selectors.EVENT_READ, near)
            while True:
                for key, _ in selector.select():
                    ended = _move(key.fileobj, key.data)  # type: ignore[arg-type]
                    if ended is not None:
                        self.broken = ended is self._far
                        return


def _move(source: socket.socket, sink: socket.socket) -> socket.socket | None:
    """Pass on what has arrived; return the end that is no more."""
    try:
        data = source.recv(_CHUNK)
    except OSError:
        return source
    if not data:
        return source
    try:
        sink.sendall(data)
    except OSError:
        return sink
    return None
