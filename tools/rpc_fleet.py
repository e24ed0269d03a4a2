"""Many of TVM's own RPC servers and a tracker on loopback, cheaply: one process imports TVM once and forks them.

Each server is what ``python -m tvm.exec.rpc_server`` runs, in a process group of its own that can be killed at once,
and with a board's lock of its own. The nursery ends, and everything in it, when its standard input does.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Served:
    """A server or tracker that runs: its process, which leads its group, and its port."""

    pid: int
    port: int

    def kill(self) -> None:
        """Kill it and its sessions, as a board that loses its power."""
        os.killpg(self.pid, signal.SIGKILL)


class Fleet:
    """A nursery of servers; use it in a ``with`` statement."""

    def __init__(self, locks: Path) -> None:
        """Start it; servers keep their locks in directories under ``locks``."""
        self._locks = locks
        self._process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        self._served: list[Served] = []

    def tracker(self) -> Served:
        """Start a tracker."""
        return self._start({"kind": "tracker", "port": free_port()})

    def server(
        self,
        key: str = "",
        tracker: Served | None = None,
        port: int | None = None,
        scratch: Path | None = None,
        candidate_seconds: float = 0.0,
    ) -> Served:
        """Start a server, with ``key`` at ``tracker`` if there is one; its sessions work under ``scratch``.

        With ``candidate_seconds`` it is a slow board: it sleeps that long for every candidate of tuning that it runs.
        """
        port = port or free_port()
        asked = {"kind": "server", "port": port, "key": key, "locks": str(self.locks(port))}
        asked |= {"scratch": str(scratch or tempfile.gettempdir()), "candidate_seconds": candidate_seconds}
        return self._start(asked | {"tracker": tracker and tracker.port})

    def locks(self, port: int) -> Path:
        """Return the directory of one server's lock."""
        directory = self._locks / str(port)
        directory.mkdir(parents=True, exist_ok=True)
        return directory

    def close(self) -> None:
        """Kill everything."""
        for served in self._served:
            try:
                served.kill()
            except ProcessLookupError:
                continue
        self._process.communicate()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _start(self, asked: dict[str, Any]) -> Served:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        served = Served(int(self._process.stdout.readline()), asked["port"])
        self._served.append(served)
        _wait_until_listening(asked["port"])
        return served


def free_port() -> int:
    """Return a port that nobody uses now."""
    with socket.create_server((HOST, 0)) as listener:
        return int(listener.getsockname()[1])


def _wait_until_listening(port: int) -> None:
    """Read from the kernel's table: a connection would count as a client's."""
    for _ in range(1500):
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port:
                return
        time.sleep(0.02)
    raise TimeoutError(f"nothing listens on port {port}")


def _nursery() -> None:
    """Fork a process for every line of the standard input, which names what it is to be; answer its number."""
    import tvm.rpc.server
    import tvm.rpc.tracker  # noqa: F401

    # Nobody waits for the children; the kernel is told so.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.setsid()
            _become(json.loads(line))
        print(child, flush=True)


def _become(asked: dict[str, Any]) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    port = asked["port"]
    if asked["kind"] == "tracker":
        from tvm.rpc.tracker import PopenTrackerServerState

        state: Any = PopenTrackerServerState(HOST, port, port + 1, silent=True)
    else:
        from tvm.rpc.server import PopenRPCServerState

        os.environ["EDGEPRUNE_LOCK_DIRECTORY"] = asked["locks"]
        tempfile.tempdir = asked["scratch"]
        if asked["candidate_seconds"]:
            _sleep_for_candidates(asked["candidate_seconds"])
        tracker = None if asked["tracker"] is None else (HOST, asked["tracker"])
        state = PopenRPCServerState(HOST, port, port + 1, tracker_addr=tracker, key=asked["key"], silent=True)
    state.thread.join()
    os._exit(0)


def _sleep_for_candidates(seconds: float) -> None:
    """Have the sessions of this process sleep before they take a request to run candidates."""
    import tvm_ffi

    name = "tvm.rpc.server.upload"
    upload = tvm_ffi.get_global_func(name)

    def slow_upload(file: str, content: Any) -> None:
        program, *arguments = bytes(content).split(b"\0") if file == "request" else [b""]
        if program.endswith(b"/candidates"):
            # The files of inputs and outputs and the best time so far; then the candidates; the last word is empty.
            time.sleep(seconds * (len(arguments) - 4))
        upload(file, content)

    tvm_ffi.register_global_func(name, slow_upload, override=True)


if __name__ == "__main__":
    _nursery()
