"""From a target to the transport it names."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

from edgeprune.emulation import Unavailable, find_qemu
from edgeprune.errors import UserError
from edgeprune.measuring.local_transport import LocalTransport
from edgeprune.measuring.qemu_transport import QemuTransport
from edgeprune.measuring.transport import Transport
from edgeprune.target import Target


def open_transport(target: Target) -> Transport | Unavailable:
    """Open the transport that ``target`` names; close it, or use it in a ``with`` statement.

    Returns `Unavailable` when this machine lacks the emulator, so that the step is "not run" and the rest goes on.
    """
    if target.transport == "local":
        return LocalTransport()
    if target.emulator is None:
        raise UserError(f"target {target.name}: emulator: required because transport is 'qemu'")
    qemu = find_qemu(target.emulator.program, cpu=target.emulator.cpu)
    if isinstance(qemu, Unavailable):
        return qemu
    return QemuTransport(qemu, target.emulator.cpu)


def opened(target: Target, given: Transport | None) -> AbstractContextManager[Transport | Unavailable]:
    """Return a context that holds ``given`` and leaves it open, or else ``target``'s own transport until its end."""
    board = open_transport(target) if given is None else given
    return nullcontext(board) if given is not None or isinstance(board, Unavailable) else board
