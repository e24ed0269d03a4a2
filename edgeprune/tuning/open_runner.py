"""From a target to where its candidates run."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from edgeprune.emulation import Unavailable
from edgeprune.errors import UserError
from edgeprune.lowering import tvm_target
from edgeprune.lowering.llvm_target import native_target
from edgeprune.measuring.board_core import board_core
from edgeprune.measuring.open_transport import open_transport
from edgeprune.measuring.rpc.tracker import count_boards
from edgeprune.target import Target
from edgeprune.toolchain import toolchain_for
from edgeprune.tuning.board import Board
from edgeprune.tuning.fleet import Fleet
from edgeprune.tuning.local_runner import LocalRunner
from edgeprune.tuning.nursery import Nursery
from edgeprune.tuning.pipeline import Cores
from edgeprune.tuning.runner import Runner

# TVM's client holds no more sessions.
_MOST_BOARDS = 32


def open_runner(
    target: Target,
    nursery: Nursery,
    scratch: Path,
    cores: Cores,
    seed: int,
    boards: int | None,
    notify: Callable[[str], None],
) -> Runner:
    """Return the runner for ``target``: this machine, ``boards`` lent by a tracker, or an emulator on every core.

    Raises:
        UserError: the address names no board, there are not so many boards, or there is no emulator.
        BoardLost: the board or the tracker cannot be reached.
    """
    places = _places(target, cores, boards)
    if target.transport == "local":
        return LocalRunner(nursery, scratch, cores.runner, tvm_target(target), seed)
    toolchain = toolchain_for(target)
    core = board_core(target) if target.emulated else None
    assert not isinstance(core, Unavailable)  # there would be nothing to do

    def open_board() -> Board:
        transport = open_transport(target, notify)
        if isinstance(transport, Unavailable):
            raise UserError(f"tuning for {target.name}: {transport.reason}; {transport.mend}")
        try:
            directory = Path(tempfile.mkdtemp(prefix="board-", dir=scratch))
        except OSError:
            transport.close()
            raise
        return Board(transport, toolchain, directory, core)

    # Before anything that takes time: a board that cannot be reached is said at once.
    first = open_board()
    try:
        host = LocalRunner(nursery, scratch, cores.runner, native_target(), seed)
    except BaseException:
        first.close()
        raise
    return Fleet(
        scratch,
        tvm_target(target),
        host,
        first,
        open_board,
        places,
        calibrate=places > 1 and not target.emulated,
        notify=notify,
    )


def _places(target: Target, cores: Cores, boards: int | None) -> int:
    if target.emulated:
        return len(cores.builders)
    if target.address.way != "tracker":
        if boards not in (None, 1):
            raise UserError(
                f"{target.name}: many boards at once are lent by a tracker: -t {target.name}@tracker://HOST:PORT/KEY"
            )
        return 1
    known = count_boards(target.address).known
    if boards is not None and known < boards:
        raise UserError(f"{target.address}: {boards} boards are asked for, the tracker knows {known}")
    return min(boards or max(known, 1), _MOST_BOARDS)
