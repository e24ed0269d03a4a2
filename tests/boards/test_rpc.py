"""Boards that run TVM's own RPC server, alone and behind TVM's own tracker."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgeprune.errors import StageFailure
from edgeprune.measuring.board_lock import board_lock
from edgeprune.measuring.rpc import RpcTransport, launcher_for, request_board
from edgeprune.measuring.rpc.tracker import Count, count_boards
from edgeprune.measuring.transport import BoardLost, Completed
from edgeprune.target import Address, find_target
from tests.boards.programs import eventually, once_running, running, script
from tools.rpc_fleet import Fleet, Served

pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def launcher() -> Path:
    return launcher_for(find_target("host"))


@pytest.fixture
def server(fleet: Fleet) -> Iterator[Served]:
    served = fleet.server()
    yield served
    if running_group(served):
        served.kill()


def running_group(served: Served) -> bool:
    try:
        os.killpg(served.pid, 0)
    except ProcessLookupError:
        return False
    return True


def address(served: Served, options: str = "") -> Address:
    return Address.parse(f"rpc://127.0.0.1:{served.port}{options}")


def test_a_program_runs_in_a_directory_that_is_gone_afterwards(server: Served, launcher: Path, tmp_path: Path) -> None:
    program = script(
        tmp_path / "hello", 'printf "%s\\000\\377" "$1"; cat there; echo low >&2; echo out >result; exit 7'
    )
    payload = tmp_path / "there"
    payload.write_bytes(os.urandom(300_000))
    with RpcTransport(address(server), launcher) as board:
        place = board.push(program)
        board.push(payload)
        done = board.run([place, "it's"], timeout=20)
        assert done == Completed(7, b"it's\x00\xff" + payload.read_bytes(), b"low\n")
        board.pull(board.place("result"), tmp_path / "pulled")
        assert (tmp_path / "pulled").read_text() == "out\n"
        codes = [board.run(["/bin/sh", "-c", f"exit {code}"], timeout=20).code for code in (0, 129, 255)]
        assert codes == [0, 129, 255]
        assert board.run(["/bin/sh", "-c", "kill -ILL $$"], timeout=20).code == -signal.SIGILL
        directory = Path(place).parent
        assert directory.is_dir()
    assert eventually(lambda: not directory.exists())
    with RpcTransport(address(server), launcher) as board:
        assert board.run(["true"], timeout=20).code == 0


def test_a_program_that_hangs_or_is_for_another_cpu(server: Served, launcher: Path, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign"
    foreign.write_bytes(b"\x7fELF\x01\x01" + bytes(12) + (8).to_bytes(2, "little") + bytes(40))
    broken = tmp_path / "broken"
    broken.write_bytes(b"neither ELF nor script")
    broken.chmod(0o755)
    with RpcTransport(address(server), launcher) as board:
        with pytest.raises(StageFailure, match=rf"board {board.board}: sleep did not end within 0\.5 s and was killed"):
            board.run(["sleep", "7676.6"], timeout=0.5)
        assert eventually(lambda: not running("7676.6"))
        with pytest.raises(StageFailure, match=f"board {board.board}: foreign is a program for ELF machine 8"):
            board.push(foreign)
        with pytest.raises(StageFailure, match="broken cannot be started: Exec format error: it is a program for"):
            board.run([board.push(broken)], timeout=20)
        assert board.run(["true"], timeout=20).code == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 200 kB."""
    place = tmp_path / "small"
    place.mkdir()
    mounting = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", place], capture_output=True, check=False
    )
    if mounting.returncode != 0:
        pytest.skip("a small file system can be mounted by root only, where a container allows it")
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


def _filled(file: Path, size: int) -> bool:
    """The kernel frees a library's blocks when the last process that had it loaded has ended."""
    try:
        file.write_bytes(bytes(size))
    except OSError:
        return False
    return True


def test_a_full_disk_is_an_error_and_spares_the_server(
    fleet: Fleet, launcher: Path, small_disk: Path, tmp_path: Path
) -> None:
    served = fleet.server(scratch=small_disk)
    large, ballast = tmp_path / "large", small_disk / "ballast"
    large.write_bytes(bytes(300_000))
    with RpcTransport(address(served), launcher) as board:
        with pytest.raises(
            StageFailure, match=r"cannot copy .*large to rpc://.*: \d+ of 300000 bytes arrived: disk full"
        ):
            board.push(large)
        assert board.run(["true"], timeout=20).code == 0
    assert eventually(lambda: not list(small_disk.iterdir()))
    assert eventually(lambda: _filled(ballast, 195_000))
    with pytest.raises(StageFailure, match=r"has no room for a working directory: \d+ of \d+ bytes arrived"):
        RpcTransport(address(served), launcher)
    ballast.unlink()
    with RpcTransport(address(served), launcher) as board:
        assert board.run(["true"], timeout=20).code == 0
    served.kill()


def test_a_server_that_vanishes_is_said(fleet: Fleet, launcher: Path) -> None:
    served = fleet.server()
    board = RpcTransport(address(served), launcher)
    directory = Path(board.place("x")).parent
    once_running("7777.7", served.kill)
    with pytest.raises(BoardLost, match=f"board {board.board}: lost while "):
        board.run(["sleep", "7777.7"], timeout=30)
    board.close()
    assert eventually(lambda: not running("7777.7"))
    assert eventually(lambda: not directory.exists())
    with pytest.raises(BoardLost, match="cannot be reached: Connection refused"):
        RpcTransport(address(served), launcher)
    again = fleet.server(port=served.port)
    with RpcTransport(address(again), launcher) as board:
        assert board.run(["true"], timeout=20).code == 0
    again.kill()


def test_a_killed_edgeprune_leaves_nothing(server: Served, launcher: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from edgeprune.measuring.rpc import RpcTransport;"
        "from edgeprune.target import Address;"
        "board = RpcTransport(Address.parse(sys.argv[1]), Path(sys.argv[2])); print(board.place(''), flush=True);"
        "board.run(['sleep', '7878.8'], timeout=60)"
    )
    command = [sys.executable, "-c", code, str(address(server)), str(launcher)]
    victim = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert victim.stdout is not None
    directory = Path(victim.stdout.readline().strip())
    assert directory.is_dir()
    assert eventually(lambda: running("7878.8"))
    victim.kill()
    victim.communicate()
    assert eventually(lambda: not running("7878.8"))
    assert eventually(lambda: not directory.exists())


def test_a_busy_server_and_a_busy_board(fleet: Fleet, server: Served, launcher: Path) -> None:
    impatient = address(server, "?wait=1")
    serving = "busy: its server serves somebody else for longer than 1 s"
    with RpcTransport(address(server), launcher), pytest.raises(StageFailure, match=serving):
        RpcTransport(impatient, launcher)
    said: list[str] = []
    with board_lock("somebody at a shell", 5, directory=fleet.locks(server.port) / "edgeprune-lock"):
        with pytest.raises(StageFailure, match="busy: somebody at a shell holds it"):
            RpcTransport(impatient, launcher, said.append)
        with RpcTransport(address(server, "?lock=no"), launcher) as board:
            assert board.run(["true"], timeout=20).code == 0
    assert f"{impatient}: waiting for somebody at a shell, who holds the board" in said
    with RpcTransport(impatient, launcher) as board:
        assert board.run(["true"], timeout=20).code == 0


def test_a_tracker_lends_boards_of_one_key(fleet: Fleet, launcher: Path) -> None:
    tracker = fleet.tracker()
    boards = [fleet.server("cam", tracker) for _ in range(2)]
    where = Address.parse(f"tracker://127.0.0.1:{tracker.port}/cam?wait=1")
    assert eventually(lambda: count_boards(where) == Count(2, 2, 0, ("cam",)))
    with pytest.raises(
        StageFailure, match="the tracker knows no board with the key 'phone', those it knows have 'cam'"
    ):
        request_board(Address.parse(f"tracker://127.0.0.1:{tracker.port}/phone"))
    with RpcTransport(where, launcher) as first, RpcTransport(where, launcher) as second:
        used = {board.board.rpartition(":")[2] for board in (first, second)}
        assert used == {str(board.port) for board in boards}
        assert first.run(["true"], timeout=20).code == 0
        with pytest.raises(StageFailure, match="none of 2 boards came free within 1 s"):
            RpcTransport(where, launcher)
    for served in (*boards, tracker):
        served.kill()
    with pytest.raises(BoardLost, match="the tracker cannot be reached"):
        count_boards(where)
