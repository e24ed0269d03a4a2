"""Which boards this machine reaches, for `doctor`."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass

from edgeprune.emulation import Unavailable
from edgeprune.errors import EdgepruneError, UserError
from edgeprune.measuring import open_transport
from edgeprune.measuring.adb_transport import list_phones
from edgeprune.target import Target, find_target, list_targets

_HERE = ("local", "qemu")


@dataclass(frozen=True)
class BoardState:
    """What there is to say of a board or of a way to boards; ``mend`` is empty where nothing is amiss."""

    name: str
    detail: str
    mend: str = ""


def look_at_boards(*, deep: bool) -> Iterator[BoardState]:
    """Return the phones that adb sees, and every target whose file names a board; ``deep`` alone asks them.

    Asking starts adb's server where there is none, and makes a directory on each board for a moment.
    """
    if deep and shutil.which("adb"):
        yield _phones()
    for name in list_targets():
        try:
            target = find_target(name)
        except UserError as error:
            yield BoardState(f"target {name}", str(error), "mend the file")
            continue
        if target.address.way not in _HERE:
            yield _board(target) if deep else BoardState(f"board of {name}", f"{target.transport}, not asked (--deep)")


def _phones() -> BoardState:
    try:
        phones = list_phones()
    except EdgepruneError as error:
        return BoardState("phones", str(error), "adb kill-server, then adb devices")
    if not phones:
        return BoardState("phones", "none")
    unready = [serial for serial, state in phones.items() if state != "device"]
    detail = ", ".join(f"{serial} ({state})" for serial, state in phones.items())
    return BoardState("phones", detail, f"{unready[0]}: allow this computer on the phone's screen" if unready else "")


def _board(target: Target) -> BoardState:
    name = f"board of {target.name}"
    # Somebody else's measurement is not waited for.
    there = target.model_copy(update={"transport": _impatient(target.transport)})
    try:
        board = open_transport(there)
        if isinstance(board, Unavailable):
            return BoardState(name, board.reason, board.mend)
        with board:
            code = board.run(["true"], timeout=30).code
    except EdgepruneError as error:
        return BoardState(name, str(error), f"edgeprune targets check {target.name}")
    return BoardState(name, f"{target.transport}, programs run" if code == 0 else f"true gave exit code {code}")


def _impatient(transport: str) -> str:
    return transport if "wait=" in transport else f"{transport}{'&' if '?' in transport else '?'}wait=2"
