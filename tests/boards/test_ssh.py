"""Boards behind a real sshd."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from edgeprune.errors import StageFailure, UserError
from edgeprune.measuring.ssh_transport import SshTransport
from edgeprune.measuring.transport import BoardLost, Completed
from edgeprune.target import Address
from tests.boards.programs import eventually, once_running, running, script
from tests.boards.sshd import Sshd

pytestmark = pytest.mark.slow
BOARD = Address.parse("ssh://board")


def test_a_program_runs_in_a_directory_that_is_gone_afterwards(sshd: Sshd, tmp_path: Path) -> None:
    program = script(
        tmp_path / "hello", 'printf "%s\\000\\377" "$1"; cat there; echo low >&2; echo out >result; exit 7'
    )
    words = script(tmp_path / "there", 'it\'s $HOME "quoted"')
    with SshTransport(BOARD) as board:
        place, beside = board.push(program), board.push(words)
        directory = Path(place).parent
        assert Path(beside).read_bytes() == words.read_bytes()
        assert board.run([place, "a 'b' $c"], timeout=20) == Completed(
            7, b"a 'b' $c\x00\xff" + words.read_bytes(), b"low\n"
        )
        board.pull(board.place("result"), tmp_path / "pulled")
        assert (tmp_path / "pulled").read_text() == "out\n"
        assert directory.stat().st_mode & 0o777 == 0o700
    assert not directory.exists()


def test_exit_codes_signals_and_binary_output_are_exact(sshd: Sshd, tmp_path: Path) -> None:
    with SshTransport(BOARD) as board:
        codes = [board.run(["/bin/sh", "-c", f"exit {code}"], timeout=20).code for code in (0, 1, 5, 127, 255)]
        assert codes == [0, 1, 5, 127, 255]
        assert board.run(["/bin/sh", "-c", "kill -ILL $$"], timeout=20).code == -signal.SIGILL
        payload = tmp_path / "payload"
        payload.write_bytes(os.urandom(1 << 20))
        assert board.run(["cat", board.push(payload)], timeout=20).output == payload.read_bytes()


def test_a_program_that_hangs_is_killed_on_the_board(sshd: Sshd) -> None:
    with SshTransport(BOARD) as board:
        with pytest.raises(StageFailure, match=r"board ssh://board: sleep did not end within 0\.5 s and was killed"):
            board.run(["sleep", "7171.1"], timeout=0.5)
        assert eventually(lambda: not running("7171.1"))
        assert board.run(["true"], timeout=20).code == 0


def test_a_board_that_vanishes_is_said_and_can_be_used_again(sshd: Sshd, tmp_path: Path) -> None:
    with SshTransport(BOARD) as board:
        directory = Path(board.place("x")).parent
        once_running("7272.2", sshd.kill)
        with pytest.raises(BoardLost, match="board ssh://board: lost while sleep ran: "):
            board.run(["sleep", "7272.2"], timeout=30)
        with pytest.raises(BoardLost, match="board ssh://board: lost while "):
            board.push(script(tmp_path / "again", "true"))
    assert eventually(lambda: not running("7272.2"))
    assert eventually(lambda: not directory.exists())
    sshd.start()
    with SshTransport(BOARD) as board:
        assert board.run(["true"], timeout=20).code == 0


def test_a_killed_edgeprune_leaves_nothing(sshd: Sshd) -> None:
    code = (
        "from edgeprune.measuring.ssh_transport import SshTransport; from edgeprune.target import Address;"
        "board = SshTransport(Address.parse('ssh://board')); print(board.place(''), flush=True);"
        "board.run(['sleep', '7373.3'], timeout=60)"
    )
    victim = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert victim.stdout is not None
    directory = Path(victim.stdout.readline().strip())
    assert directory.is_dir()
    assert eventually(lambda: running("7373.3"))
    victim.kill()
    victim.communicate()
    assert eventually(lambda: not running("7373.3"))
    assert eventually(lambda: not directory.exists())


def test_two_users_take_turns(sshd: Sshd) -> None:
    said: list[str] = []
    with SshTransport(BOARD) as first:
        with pytest.raises(StageFailure, match=r"board ssh://board.*: busy: .*@.* \(process \d+\) holds it"):
            SshTransport(Address.parse("ssh://board?wait=1"))
        waiter = threading.Thread(target=_use, args=(said.append,))
        waiter.start()
        assert eventually(lambda: bool(said))
        assert first.run(["true"], timeout=20).code == 0
    waiter.join(20)
    assert said[0].startswith("ssh://board: waiting for ")
    assert said[-1] == "used"


def _use(say: Callable[[str], None]) -> None:
    with SshTransport(BOARD, say) as board:
        board.run(["true"], timeout=20)
    say("used")


def test_a_program_for_another_cpu_is_refused(sshd: Sshd, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign"
    foreign.write_bytes(b"\x7fELF\x01\x01" + bytes(12) + (8).to_bytes(2, "little") + bytes(40))
    with SshTransport(BOARD) as board, pytest.raises(StageFailure, match="board ssh://board: foreign is a program for"):
        board.push(foreign)


def test_a_full_disk_is_an_error_and_leaves_no_half_file(sshd: Sshd, tmp_path: Path) -> None:
    """The shell's limit on file sizes stands for a full disk: writing fails the same way."""
    large = tmp_path / "large"
    large.write_bytes(bytes(3 << 20))
    (sshd.root / "limited").write_text(
        '#!/bin/sh\nulimit -f 1024\ntrap "" XFSZ\nexec /bin/sh -c "$SSH_ORIGINAL_COMMAND"\n'
    )
    (sshd.root / "limited").chmod(0o755)
    sshd.kill()
    sshd.start(f"ForceCommand {sshd.root / 'limited'}")
    with SshTransport(BOARD) as board:
        with pytest.raises(StageFailure, match=r"cannot copy .*large to ssh://board: .*(File too large|write error)"):
            board.push(large)
        assert not Path(board.place("large")).exists()
        assert not Path(board.place("large.part")).exists()
        assert board.run(["true"], timeout=20).code == 0


def test_a_server_that_shares_no_connection_is_used_all_the_same(sshd: Sshd) -> None:
    sshd.kill()
    sshd.start("MaxSessions 1")
    with SshTransport(BOARD) as board:
        assert board.run(["/bin/sh", "-c", "echo out; exit 3"], timeout=20).code == 3


def test_what_a_user_can_mend(sshd: Sshd, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"board ssh://nobody\.invalid: .*Could not resolve hostname"):
        SshTransport(Address.parse("ssh://nobody.invalid"))
    with pytest.raises(UserError, match=r"board ssh://nobody@board: .*Permission denied.*ssh-copy-id"):
        SshTransport(Address.parse("ssh://nobody@board"))
    with pytest.raises(StageFailure, match="/nowhere is no directory that can be written"):
        SshTransport(Address.parse("ssh://board?directory=/nowhere"))
    monkeypatch.setenv("EDGEPRUNE_SSH", str(tmp_path / "absent"))
    with pytest.raises(UserError, match="absent cannot be started"):
        SshTransport(BOARD)


def test_a_board_that_is_off_is_tried_three_times(sshd: Sshd) -> None:
    sshd.kill()
    said: list[str] = []
    with pytest.raises(BoardLost, match=r"board ssh://board: cannot be reached: .*Connection refused"):
        SshTransport(BOARD, said.append)
    assert len(said) == 2
