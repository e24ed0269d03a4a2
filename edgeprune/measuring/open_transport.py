"""From a target to the board it names."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

from edgeprune.emulation import Unavailable, find_qemu
from edgeprune.errors import UserError
from edgeprune.measuring.adb_transport import AdbTransport
from edgeprune.measuring.local_transport import LocalTransport
from edgeprune.measuring.qemu_transport import QemuTransport
from edgeprune.measuring.rpc import RpcTransport, launcher_for
from edgeprune.measuring.ssh_transport import SshTransport
from edgeprune.measuring.transport import Transport
from edgeprune.target import Target


def _silent(message: str) -> None:
    """Say nothing."""


def open_transport(target: Target, notify: Callable[[str], None] = _silent) -> Transport | Unavailable:
    """Open the board at ``target``'s address; close it, or use it in a ``with`` statement.

    ``notify`` is told what takes its time: a board in use, a second attempt to reach it. Returns `Unavailable` when
    this machine lacks the emulator, so that the step is "not run" and the rest goes on.

    Raises:
        UserError: the address names no board, or this machine may not use it.
        BoardLost: the board cannot be reached.
        StageFailure: it is in use for too long, or has no room.
    """
    address = target.address
    if address.way == "local":
        return LocalTransport(notify)
    if address.way == "ssh":
        return SshTransport(address, notify)
    if address.way == "adb":
        return AdbTransport(address, notify)
    if address.way in ("rpc", "tracker"):
        return RpcTransport(address, launcher_for(target), notify)
    return _open_emulator(target)


def opened(
    target: Target, given: Transport | None, notify: Callable[[str], None] = _silent
) -> AbstractContextManager[Transport | Unavailable]:
    """Return a context that holds ``given`` and leaves it open, or else ``target``'s own transport until its end."""
    board = open_transport(target, notify) if given is None else given
    return nullcontext(board) if given is not None or isinstance(board, Unavailable) else board


def _open_emulator(target: Target) -> QemuTransport | Unavailable:
    if target.emulator is None:
        raise UserError(f"target {target.name}: emulator: required because transport is 'qemu'")
    qemu = find_qemu(target.emulator.program, cpu=target.emulator.cpu)
    return qemu if isinstance(qemu, Unavailable) else QemuTransport(qemu, target.emulator.cpu)
