"""A stand-in for Android's adbd that speaks its real protocol over TCP and runs commands for real.

From the Android sources: packages/modules/adb, ``protocol.txt``, ``SERVICES.TXT``, ``SYNC.TXT``, ``shell_protocol.h``.
It offers the services ``shell,v2,raw:`` and ``sync:`` (STAT, SEND, RECV), asks for no authentication, and, like adbd,
ends a command's input and hangs up on it when its stream or the whole connection goes.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import queue
import signal
import socket
import struct
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

_VERSION, _MAX_DATA = 0x01000001, 256 * 1024
_STDIN, _STDOUT, _STDERR, _EXIT, _CLOSE_STDIN = range(5)


class Stream:
    """One service's two-way byte stream; every WRTE is answered by an OKAY before the next."""

    def __init__(self, phone: Connection, ours: int, theirs: int) -> None:
        self.phone, self.ours, self.theirs = phone, ours, theirs
        self.arrived: queue.Queue[bytes] = queue.Queue()
        self._credit = threading.Semaphore(1)
        self._buffer = b""
        self.closed = False

    def write(self, data: bytes) -> None:
        for start in range(0, len(data), _MAX_DATA):
            self._credit.acquire()
            if self.closed:
                raise EOFError
            self.phone.send(b"WRTE", self.ours, self.theirs, data[start : start + _MAX_DATA])

    def acknowledged(self) -> None:
        self._credit.release()

    def read(self, size: int) -> bytes:
        """Exactly ``size`` bytes; EOFError when the stream ends before."""
        while len(self._buffer) < size:
            part = self.arrived.get()
            if not part:
                raise EOFError
            self._buffer += part
        found, self._buffer = self._buffer[:size], self._buffer[size:]
        return found

    def end(self) -> None:
        """The other side went."""
        self.closed = True
        self.arrived.put(b"")
        self._credit.release()


class Connection:
    """One adb server's connection."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self._lock = threading.Lock()
        self._streams: dict[int, Stream] = {}
        self._numbers = itertools.count(1)

    def send(self, command: bytes, first: int, second: int, data: bytes = b"") -> None:
        number = int.from_bytes(command, "little")
        header = struct.pack("<6I", number, first, second, len(data), 0, number ^ 0xFFFFFFFF)
        with self._lock, contextlib.suppress(OSError):
            self.socket.sendall(header + data)

    def serve(self) -> None:
        try:
            for command, first, second, data in self._messages():
                self._handle(command, first, second, data)
        finally:
            for stream in list(self._streams.values()):
                stream.end()

    def _messages(self) -> Iterator[tuple[bytes, int, int, bytes]]:
        with contextlib.suppress(OSError, EOFError):
            while True:
                number, first, second, length, _, magic = struct.unpack("<6I", self._exactly(24))
                assert magic == number ^ 0xFFFFFFFF
                yield number.to_bytes(4, "little"), first, second, self._exactly(length)

    def _exactly(self, size: int) -> bytes:
        found = b""
        while len(found) < size:
            part = self.socket.recv(size - len(found))
            if not part:
                raise EOFError
            found += part
        return found

    def _handle(self, command: bytes, first: int, second: int, data: bytes) -> None:
        if command == b"CNXN":
            banner = b"device::ro.product.name=stand_in;ro.product.model=stand_in;features=shell_v2,cmd"
            self.send(b"CNXN", _VERSION, _MAX_DATA, banner)
        elif command == b"OPEN":
            self._open(first, data.rstrip(b"\0"))
        elif command == b"WRTE" and second in self._streams:
            self._streams[second].arrived.put(data)
            self.send(b"OKAY", second, first)
        elif command == b"OKAY" and second in self._streams:
            self._streams[second].acknowledged()
        elif command == b"CLSE" and second in self._streams:
            self._streams.pop(second).end()

    def _open(self, theirs: int, service: bytes) -> None:
        name, _, argument = service.partition(b":")
        work = {b"sync": _sync}.get(name) or (_shell if name.startswith(b"shell,v2") and b"raw" in name else None)
        if work is None:
            self.send(b"CLSE", 0, theirs)
            return
        ours = next(self._numbers)
        stream = self._streams[ours] = Stream(self, ours, theirs)
        self.send(b"OKAY", ours, theirs)
        threading.Thread(target=self._work, args=(work, stream, argument), daemon=True).start()

    def _work(self, work: object, stream: Stream, argument: bytes) -> None:
        with contextlib.suppress(EOFError):
            work(stream, argument)  # type: ignore[operator]
        if not stream.closed:
            self._streams.pop(stream.ours, None)
            self.send(b"CLSE", stream.ours, stream.theirs)


def _shell(stream: Stream, command: bytes) -> None:
    process = subprocess.Popen(
        ["/bin/sh", "-c", command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        start_new_session=True,
    )  # fmt: skip
    feeder = threading.Thread(target=_feed, args=(stream, process), daemon=True)
    readers = [
        threading.Thread(target=_forward, args=(stream, kind, pipe), daemon=True)
        for kind, pipe in ((_STDOUT, process.stdout), (_STDERR, process.stderr))
    ]
    for thread in (feeder, *readers):
        thread.start()
    for reader in readers:
        reader.join()
    code = process.wait()
    stream.write(struct.pack("<BIB", _EXIT, 1, code if code >= 0 else 128 - code))


def _feed(stream: Stream, process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    try:
        while True:
            kind, length = struct.unpack("<BI", stream.read(5))
            data = stream.read(length)
            with contextlib.suppress(OSError, ValueError):
                if kind == _STDIN:
                    process.stdin.write(data)
                    process.stdin.flush()
                elif kind == _CLOSE_STDIN:
                    process.stdin.close()
    except EOFError:
        with contextlib.suppress(OSError):
            process.stdin.close()
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGHUP)


def _forward(stream: Stream, kind: int, pipe: object) -> None:
    with contextlib.suppress(EOFError):
        while data := os.read(pipe.fileno(), 65536):  # type: ignore[attr-defined]
            stream.write(struct.pack("<BI", kind, len(data)) + data)
    pipe.close()  # type: ignore[attr-defined]


def _sync(stream: Stream, argument: bytes) -> None:
    while True:
        request, length = struct.unpack("<4sI", stream.read(8))
        path = stream.read(length).decode() if request != b"QUIT" else ""
        if request == b"STAT":
            try:
                found = os.lstat(path)
                stream.write(struct.pack("<4s3I", b"STAT", found.st_mode, found.st_size, int(found.st_mtime)))
            except OSError:
                stream.write(struct.pack("<4s3I", b"STAT", 0, 0, 0))
        elif request == b"SEND":
            _receive(stream, path)
        elif request == b"RECV":
            _offer(stream, path)
        else:
            return


def _receive(stream: Stream, path: str) -> None:
    place, _, mode = path.rpartition(",")
    data, complaint = b"", ""
    while True:
        kind, length = struct.unpack("<4sI", stream.read(8))
        if kind == b"DONE":
            break
        data += stream.read(length)
    try:
        Path(place).write_bytes(data)
        Path(place).chmod(int(mode) & 0o777)
    except OSError as error:
        complaint = f"couldn't create file: {error.strerror}"
    answer = struct.pack("<4sI", b"FAIL" if complaint else b"OKAY", len(complaint)) + complaint.encode()
    stream.write(answer)


def _offer(stream: Stream, path: str) -> None:
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        complaint = f"open failed: {error.strerror}".encode()
        stream.write(struct.pack("<4sI", b"FAIL", len(complaint)) + complaint)
        return
    for start in range(0, len(data), 65536):
        part = data[start : start + 65536]
        stream.write(struct.pack("<4sI", b"DATA", len(part)) + part)
    stream.write(struct.pack("<4sI", b"DONE", 0))


class Adbd:
    """A phone on loopback; `unplug` cuts every connection."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.serial = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._connections: list[Connection] = []
        self._plugged = True
        threading.Thread(target=self._accept, daemon=True).start()

    def unplug(self) -> None:
        self._plugged = False
        for connection in self._connections:
            with contextlib.suppress(OSError):
                connection.socket.shutdown(socket.SHUT_RDWR)
        self._connections.clear()

    def plug_in(self) -> None:
        self._plugged = True

    def close(self) -> None:
        self.unplug()
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                if not self._plugged:
                    connection.close()
                    continue
                self._connections.append(Connection(connection))
                threading.Thread(target=self._connections[-1].serve, daemon=True).start()
