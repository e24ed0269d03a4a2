"""Forks a worker per message until its socket closes: ``python -m edgeprune.tuning.nursery_process FD``."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import sys
from multiprocessing.connection import Connection

from edgeprune.tvm_alone import import_tvm_alone

import_tvm_alone()  # before anything imports it

from edgeprune.tuning.worker_process import serve  # noqa: E402

_PR_SET_PDEATHSIG = 1


def main(descriptor: int) -> None:
    """Answer every message, which carries a worker's pipe and log, by the number of its process; never returns."""
    _die_with_parent()
    # Ctrl-C is the parent's to handle: it saves what is done and closes the sockets. Nobody waits for the workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    parent = socket.socket(fileno=descriptor)
    while True:
        message, descriptors, _, _ = socket.recv_fds(parent, 4096, 2)
        if not message:
            os._exit(0)  # nothing is left to save, and taking TVM down in order takes its time
        child = os.fork()
        if child == 0:
            parent.close()
            _become_worker(json.loads(message)["cores"], *descriptors)
        for number in descriptors:
            os.close(number)
        parent.send(str(child).encode())


def _become_worker(cores: list[int], pipe: int, log: int) -> None:
    """Never returns."""
    _die_with_parent()
    os.setsid()
    # A worker waits for the linker it starts.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for stream in (1, 2):
        os.dup2(log, stream)
    os.close(log)
    os.sched_setaffinity(0, cores)
    status = 1
    try:
        serve(Connection(pipe))
        status = 0
    except BaseException as error:  # the process must not go on as a second nursery
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
    finally:
        sys.stderr.flush()
        os._exit(status)


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    main(int(sys.argv[1]))
