"""Android phones and boards reached by the user's own adb."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from edgeprune.errors import StageFailure, UserError
from edgeprune.measuring.elf_machine import refuse_wrong_isa
from edgeprune.measuring.shell_transport import ShellTransport, with_retries
from edgeprune.measuring.transport import BoardLost
from edgeprune.target import Address

_LIST_S = 30.0
_PUSH_S = 900.0
# The only place where Android lets the shell's user run a program.
_DIRECTORY = "/data/local/tmp"
_MENDS = {
    "unauthorized": "allow this computer on the phone's screen",
    "no permissions": "see https://developer.android.com/tools/device for udev rules",
}


class AdbTransport(ShellTransport):
    """Runs programs on one phone through ``adb shell``, in a directory of their own under ``/data/local/tmp``."""

    name = "adb"

    def __init__(self, address: Address, notify: Callable[[str], None] = lambda message: None) -> None:
        self._serial = with_retries(lambda: choose_phone(address), notify)
        super().__init__(replace(address, directory=address.directory or _DIRECTORY), notify)

    @property
    def board(self) -> str:
        """The phone's address, with its serial number."""
        return f"adb://{self._serial}"

    def push(self, file: Path) -> str:
        """Copy ``file`` by ``adb push``, executable if it is here, and see that all of it arrived."""
        place = self.place(file.name)
        try:
            refuse_wrong_isa(file, self.machine, self.board)
            size, mode = file.stat().st_size, "755" if os.access(file, os.X_OK) else "644"
        except OSError as error:
            raise StageFailure(f"cannot copy {file} to {self.board}: {error.strerror}") from error
        done = _adb(["-s", self._serial, "push", str(file), f"{place}.part"], _PUSH_S)
        text = (
            f'[ "$(wc -c <"$1.part")" -eq {size} ] && chmod {mode} "$1.part" && mv -f "$1.part" "$1" || rm -f "$1.part"'
        )
        kept = self.run(["sh", "-c", f'{text}; [ -f "$1" ]', "sh", place], timeout=_LIST_S)
        if done.returncode != 0 or kept.code != 0:
            complaint = (done.stderr + done.stdout).decode(errors="replace").strip().splitlines()
            raise StageFailure(f"cannot copy {file} to {self.board}: {complaint[-1] if complaint else kept.complaint}")
        return place

    def _shell(self, command: str, *, first: bool = False) -> list[str]:
        return ["adb", "-s", self._serial, "shell", "-T", command]

    def _refused(self, complaint: str) -> UserError | None:
        for sign, mend in _MENDS.items():
            if sign in complaint:
                return UserError(f"board {self.board}: {complaint}; {mend}")
        return None


def choose_phone(address: Address) -> str:
    """Return the serial number of the phone at ``address``, of the only one where it names none.

    Raises:
        UserError: there is no such phone, it is not ready, or it is not clear which of several is meant.
        BoardLost: adb or the phone does not answer.
    """
    phones = list_phones()
    seen = ", ".join(f"{serial} ({state})" for serial, state in phones.items()) or "none"
    wanted = address.host or os.environ.get("ANDROID_SERIAL", "")
    if not wanted and len(phones) > 1:
        raise UserError(f"board {address}: several phones: {seen}; name one of them: adb://SERIAL")
    if not phones or (wanted and wanted not in phones):
        raise UserError(f"board {address}: adb sees no such phone; connected: {seen}; plug it in, allow USB debugging")
    serial = wanted or next(iter(phones))
    if phones[serial] in ("offline", "connecting"):
        raise BoardLost(f"board adb://{serial}: {phones[serial]}; plug it in again, or restart adb (adb kill-server)")
    if phones[serial] != "device":
        mend = next((mend for sign, mend in _MENDS.items() if sign in phones[serial]), "wait until it has started")
        raise UserError(f"board adb://{serial}: {phones[serial]}; {mend}")
    return serial


def list_phones() -> dict[str, str]:
    """Return the state of every phone that adb sees, by serial number: "device" where it is ready.

    Raises:
        UserError: adb is not here.
        BoardLost: it does not answer.
    """
    listed = _adb(["devices"], _LIST_S)
    if listed.returncode != 0:
        raise BoardLost(f"adb devices: {listed.stderr.decode(errors='replace').strip() or 'no answer'}")
    rows = [line.split("\t", 1) for line in listed.stdout.decode(errors="replace").splitlines() if "\t" in line]
    return {serial: state.strip() for serial, state in rows}


def _adb(words: list[str], seconds: float) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(
            ["adb", *words], capture_output=True, timeout=seconds, stdin=subprocess.DEVNULL, check=False
        )
    except FileNotFoundError:
        raise UserError("adb is not on this machine; install it (android platform tools) to reach phones") from None
    except subprocess.TimeoutExpired:
        raise BoardLost(f"adb {words[0]} did not answer within {seconds:g} s; restart it (adb kill-server)") from None
