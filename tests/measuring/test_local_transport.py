import time
from pathlib import Path

import pytest

from edgeprune.errors import StageFailure
from edgeprune.measuring import LocalTransport


def script(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_a_program_runs_in_a_directory_that_is_gone_afterwards(tmp_path: Path) -> None:
    with LocalTransport() as board:
        program = board.push(script(tmp_path / "hello", 'echo "$1"; echo low >&2; echo out > result; exit 7'))
        done = board.run([program, "word"], timeout=10)
        assert (done.code, done.output, done.errors, done.complaint) == (7, b"word\n", b"low\n", "low")
        board.pull(board.place("result"), tmp_path / "pulled")
        assert (tmp_path / "pulled").read_text() == "out\n"
        directory = Path(program).parent
        assert directory.is_dir()
    assert not directory.exists()


def test_a_program_that_hangs_is_killed(tmp_path: Path) -> None:
    with LocalTransport() as board:
        program = board.push(script(tmp_path / "hang", "echo $$ > pid; exec sleep 60"))
        started = time.monotonic()
        with pytest.raises(StageFailure, match=r"hang did not end within 0\.5 s and was killed"):
            board.run([program], timeout=0.5)
        assert time.monotonic() - started < 10
        pid = Path(board.place("pid")).read_text().strip()
        assert not Path("/proc", pid).exists()


def test_a_signal_is_a_negative_code(tmp_path: Path) -> None:
    with LocalTransport() as board:
        assert board.run([board.push(script(tmp_path / "die", "kill -9 $$"))], timeout=10).code == -9


def test_what_cannot_start_or_is_not_there(tmp_path: Path) -> None:
    foreign = tmp_path / "foreign"
    foreign.write_bytes(b"\x7fELF" + bytes(60))
    foreign.chmod(0o755)
    with LocalTransport() as board:
        with pytest.raises(StageFailure, match="foreign cannot be started here: Exec format error"):
            board.run([board.push(foreign)], timeout=10)
        with pytest.raises(StageFailure, match=r"cannot copy .*: No such file or directory"):
            board.push(tmp_path / "absent")
        with pytest.raises(StageFailure, match=r"cannot copy .*: No such file or directory"):
            board.pull(board.place("absent"), tmp_path / "copy")
