"""Phones behind the user's adb: Debian's client against a stand-in that speaks adbd's protocol."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgeprune.errors import StageFailure, UserError
from edgeprune.measuring.adb_transport import AdbTransport
from edgeprune.measuring.transport import BoardLost, Completed
from edgeprune.target import Address
from tests.boards.adbd import Adbd
from tests.boards.programs import eventually, once_running, running, script
from tests.boards.sshd import free_port

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def adb_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """An adb server of our own, which knows none of the user's phones."""
    if shutil.which("adb") is None:
        pytest.skip("adb is not on this machine (Debian: adb)")
    variables = {"ANDROID_ADB_SERVER_PORT": str(free_port()), "HOME": str(tmp_path_factory.mktemp("home"))}
    yield variables
    subprocess.run(["adb", "kill-server"], env=os.environ | variables, capture_output=True, check=False)


@pytest.fixture
def adb(adb_server: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANDROID_SERIAL", raising=False)
    for key, value in adb_server.items():
        monkeypatch.setenv(key, value)


@pytest.fixture
def phone(adb: None) -> Iterator[Adbd]:
    yield from connected()


@pytest.fixture
def other_phone(adb: None) -> Iterator[Adbd]:
    yield from connected()


def connected() -> Iterator[Adbd]:
    device = Adbd()
    connect(device)
    yield device
    subprocess.run(["adb", "disconnect", device.serial], capture_output=True, check=False)
    device.close()


def connect(device: Adbd) -> None:
    said = subprocess.run(["adb", "connect", device.serial], capture_output=True, text=True, check=True).stdout
    assert "connected to" in said


def address(device: Adbd, directory: Path, **options: str) -> Address:
    more = "".join(f"&{key}={value}" for key, value in options.items())
    return Address.parse(f"adb://{device.serial}?directory={directory}{more}")


def test_a_program_runs_in_a_directory_that_is_gone_afterwards(phone: Adbd, tmp_path: Path) -> None:
    program = script(
        tmp_path / "hello", 'printf "%s\\000\\377" "$1"; echo low >&2; head -c 600000 "$0.big" >result; exit 7'
    )
    payload = tmp_path / "hello.big"
    payload.write_bytes(os.urandom(700_000))
    with AdbTransport(address(phone, tmp_path)) as board:
        place = board.push(program)
        board.push(payload)
        directory = Path(place).parent
        assert directory.parent == tmp_path
        assert board.run([place, "it's"], timeout=20) == Completed(7, b"it's\x00\xff", b"low\n")
        board.pull(board.place("result"), tmp_path / "pulled")
        assert (tmp_path / "pulled").read_bytes() == payload.read_bytes()[:600_000]
        assert board.run(["/bin/sh", "-c", "kill -SEGV $$"], timeout=20).code == -signal.SIGSEGV
        with pytest.raises(StageFailure, match=f"board adb://{phone.serial}: sleep did not end within 0.5 s"):
            board.run(["sleep", "7474.4"], timeout=0.5)
        assert eventually(lambda: not running("7474.4"))
    assert not directory.exists()


def test_a_phone_that_vanishes_is_said_and_can_be_used_again(phone: Adbd, tmp_path: Path) -> None:
    with AdbTransport(address(phone, tmp_path)) as board:
        directory = Path(board.place("x")).parent
        once_running("7575.5", phone.unplug)
        with pytest.raises(BoardLost, match=f"board adb://{phone.serial}: lost while sleep ran: "):
            board.run(["sleep", "7575.5"], timeout=30)
    assert eventually(lambda: not running("7575.5"))  # neither it nor the shell that watches over it
    assert eventually(lambda: not directory.exists())
    with pytest.raises((UserError, BoardLost), match=phone.serial):
        AdbTransport(address(phone, tmp_path))
    phone.plug_in()
    connect(phone)
    subprocess.run(["adb", "-s", phone.serial, "wait-for-device"], timeout=30, check=True)
    with AdbTransport(address(phone, tmp_path)) as board:
        assert board.run(["true"], timeout=20).code == 0


def test_several_phones_must_be_told_apart(phone: Adbd, other_phone: Adbd, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"board adb://: several phones: .*; name one of them") as refused:
        AdbTransport(Address.parse("adb://"))
    assert phone.serial in str(refused.value)
    assert other_phone.serial in str(refused.value)
    with AdbTransport(address(other_phone, tmp_path)) as board:
        assert board.board == f"adb://{other_phone.serial}"
        assert board.run(["true"], timeout=20).code == 0


def test_two_users_take_turns(phone: Adbd, tmp_path: Path) -> None:
    busy = f"board adb://{phone.serial}: busy: .* holds it"
    with AdbTransport(address(phone, tmp_path)), pytest.raises(StageFailure, match=busy):
        AdbTransport(address(phone, tmp_path, wait="0"))


def test_what_a_user_can_mend(adb: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="board adb://: adb sees no such phone; connected: none; plug it in"):
        AdbTransport(Address.parse("adb://"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="adb is not on this machine; install it"):
        AdbTransport(Address.parse("adb://"))
