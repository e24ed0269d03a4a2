"""The server of TVM's wheel for 64-bit ARM, under QEMU's user mode. It fetches 350 MB and takes minutes to start."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.boards.programs import eventually

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.environ.get("EDGEPRUNE_TEST_NETWORK") != "1", reason="EDGEPRUNE_TEST_NETWORK is not 1"),
]

TOOLS = Path(__file__).parents[2] / "tools"


@pytest.fixture
def port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        number = int(free.getsockname()[1])
    command = [sys.executable, str(TOOLS / "emulated_rpc_server.py"), "--port", str(number)]
    with subprocess.Popen(command, cwd=TOOLS) as server:
        try:
            assert eventually(lambda: server.poll() is not None or listening(number), seconds=600)
            assert server.poll() is None, "the server ended"
            yield number
        finally:
            # Of its namespace nothing is left then; what asks it to end reaches its outermost process alone.
            server.kill()


def listening(port: int) -> bool:
    # /proc says it without a connection, which the server would take for a client.
    table = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return any(row.split()[1] == f"0100007F:{port:04X}" and row.split()[3] == "0A" for row in table)


def test_a_server_of_another_cpu_is_a_board_that_runs_programs(port: int) -> None:
    board = f"rpi3@rpc://127.0.0.1:{port}"
    command = [sys.executable, "-m", "edgeprune", "targets", "check", board]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")
    assert "cortex-a53" in done.stdout.lower()
    assert f"rpc://127.0.0.1:{port}" in done.stdout
