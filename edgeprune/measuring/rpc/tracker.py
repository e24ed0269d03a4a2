"""Asking a TVM RPC tracker for a board: TVM's own client would wait for a free one for ever."""

from __future__ import annotations

import json
import socket
import struct
from dataclasses import dataclass
from typing import Any

from edgeprune.errors import StageFailure
from edgeprune.measuring.transport import BoardLost
from edgeprune.target import Address

# tvm/rpc/base.py
_MAGIC = 0x2F271
_REQUEST, _SUMMARY, _SUCCESS = 4, 6, 0
_CONNECT_S = 10.0


@dataclass(frozen=True)
class Lent:
    """A board that a tracker lent out: its server's place, and the key that opens it once."""

    host: str
    port: int
    key: str


@dataclass(frozen=True)
class Count:
    """Boards with one key: how many there are, how many nobody uses, and how many requests wait for one.

    ``keys`` are those of all boards that the tracker knows.
    """

    known: int
    free: int
    waiting: int
    keys: tuple[str, ...]


def request_board(address: Address, seconds: float | None = None) -> Lent:
    """Return a board with ``address``'s key; wait for a free one for ``seconds``, by default as long as it says.

    Raises:
        BoardLost: the tracker cannot be reached.
        StageFailure: there is no board with that key, or none came free in time.
    """
    wait = address.wait if seconds is None else seconds
    with _connect(address) as tracker:
        count = _count(tracker, address)
        if not count.known:
            others = f"those it knows have {', '.join(map(repr, count.keys))}" if count.keys else "nor any other"
            raise StageFailure(f"{address}: the tracker knows no board with the key {address.key!r}, {others}")
        _send(tracker, [_REQUEST, address.key, "", address.priority])
        tracker.settimeout(max(wait, 0.1))
        try:
            status, lent = _receive(tracker)
        except TimeoutError:
            raise StageFailure(f"{address}: none of {count.known} boards came free within {wait:g} s") from None
        except (OSError, EOFError) as error:
            raise BoardLost(f"{address}: the tracker went away: {error}") from None
    if status != _SUCCESS:
        raise StageFailure(f"{address}: the tracker refused: {lent}")
    return Lent(str(lent[0]), int(lent[1]), str(lent[2]))


def count_boards(address: Address) -> Count:
    """Return what the tracker says of the boards with ``address``'s key.

    Raises:
        BoardLost: the tracker cannot be reached.
    """
    with _connect(address) as tracker:
        return _count(tracker, address)


def _count(tracker: socket.socket, address: Address) -> Count:
    try:
        _send(tracker, [_SUMMARY])
        _, summary = _receive(tracker)
    except (OSError, EOFError) as error:
        raise BoardLost(f"{address}: the tracker does not answer: {error}") from None
    keys = [str(server["key"]).removeprefix("server:") for server in summary["server_info"]]
    line = summary["queue_info"].get(address.key, {"free": 0, "pending": 0})
    return Count(keys.count(address.key), line["free"], line["pending"], tuple(sorted(set(keys))))


def _connect(address: Address) -> socket.socket:
    assert address.port is not None
    try:
        tracker = socket.create_connection((address.host, address.port), timeout=_CONNECT_S)
        tracker.sendall(struct.pack("<i", _MAGIC))
        if struct.unpack("<i", _exactly(tracker, 4)) != (_MAGIC,):
            raise OSError("it is no RPC tracker")
    except (OSError, EOFError) as error:
        raise BoardLost(f"{address}: the tracker cannot be reached: {error}") from None
    return tracker


def _send(tracker: socket.socket, message: object) -> None:
    data = json.dumps(message).encode()
    tracker.sendall(struct.pack("<i", len(data)) + data)


def _receive(tracker: socket.socket) -> tuple[int, Any]:
    (length,) = struct.unpack("<i", _exactly(tracker, 4))
    status, value = json.loads(_exactly(tracker, length))
    return status, value


def _exactly(connection: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        part = connection.recv(size - len(found))
        if not part:
            raise EOFError("the connection ended")
        found += part
    return found
