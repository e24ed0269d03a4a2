"""Measuring on many boards of one kind at once, as a tracker lends them."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeprune.emulation import Unavailable
from edgeprune.errors import EdgepruneError, StageFailure, UserError
from edgeprune.measuring.bench_artifact import BenchArtifact
from edgeprune.measuring.measure import TIMEOUT_S, measure
from edgeprune.measuring.measurement import Measurement, NotRun
from edgeprune.measuring.open_transport import open_transport
from edgeprune.measuring.rpc.tracker import count_boards
from edgeprune.measuring.transport import BoardLost, Transport
from edgeprune.progress import Progress, SilentProgress
from edgeprune.recipe import Measure
from edgeprune.target import Target

_LOST_AT_MOST = 5
_PAUSE_S = 1.0


@dataclass(frozen=True)
class OnBoard:
    """What one artifact gave in one place of the row of boards.

    ``board`` is where it ran: the board that gave the result, not one that was lost before it could (``lost`` counts
    those). Either ``measurement`` or ``failure`` is there.
    """

    artifact: str
    place: int
    board: str
    lost: int
    measurement: Measurement | None = None
    failure: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the fields, nested, as JSON-able values."""
        found = {"artifact": self.artifact, "place": self.place, "board": self.board, "lost": self.lost}
        given = None if self.measurement is None else self.measurement.as_dict()
        return found | {"measurement": given, "failure": self.failure}


def measure_on_boards(
    artifacts: Sequence[Path],
    target: Target,
    settings: Measure,
    *,
    boards: int,
    progress: Progress | None = None,
    timeout: float = TIMEOUT_S,
) -> list[OnBoard]:
    """Measure every artifact on ``boards`` boards at once.

    Boards held at the same time are different ones; up to 32 are, which is as many as TVM's client can hold, and the
    tracker lends the others before it lends one a second time.

    Returns one result per place and artifact, in this order. When a board is lost, what it did not finish is done by
    the next that the tracker lends; after five lost boards in one place the rest of it is given up as failed.

    Raises:
        UserError: the target is not reached through a tracker, or one that knows too few boards; a directory holds no
            artifact.
        BoardLost: the tracker cannot be reached.
    """
    if target.address.way != "tracker":
        raise UserError(
            f"{target.name}: many boards at once are lent by a tracker: -t {target.name}@tracker://HOST:PORT/KEY"
        )
    for artifact in artifacts:
        BenchArtifact.load(artifact)
    known = count_boards(target.address).known
    if known < boards:
        raise UserError(f"{target.address}: {boards} boards are asked for, the tracker knows {known}")
    work = _Work(artifacts, target, settings, timeout, progress or SilentProgress())
    work.progress.stage(f"measure on {boards} boards", boards * len(artifacts))
    with ThreadPoolExecutor(max_workers=boards) as pool:
        places = [pool.submit(work.do_place, place) for place in range(boards)]
        try:
            return [result for place in places for result in place.result()]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            work.stop()
            raise


class _Work:
    """What all places share; each runs in a thread of its own."""

    def __init__(
        self, artifacts: Sequence[Path], target: Target, settings: Measure, timeout: float, progress: Progress
    ) -> None:
        self.artifacts, self.target, self.settings, self.timeout = artifacts, target, settings, timeout
        self.progress = progress
        self.stopped = threading.Event()
        self._telling = threading.Lock()
        self._held: set[Transport] = set()

    def stop(self) -> None:
        """Let go of every board at once, whatever it does, and take no further one."""
        self.stopped.set()
        for board in list(self._held):
            board.close()

    def do_place(self, place: int) -> list[OnBoard]:
        done: list[OnBoard] = []
        lost = 0
        while len(done) < len(self.artifacts) and not self.stopped.is_set():
            try:
                self._use_a_board(place, done, lost)
            except BoardLost as error:
                if self.stopped.is_set():
                    break
                lost += 1
                self._tell(f"{error}; its work is done again elsewhere")
                if lost == _LOST_AT_MOST:
                    self._give_up(place, done, lost, error)
                time.sleep(_PAUSE_S)
            except EdgepruneError as error:
                self._give_up(place, done, lost, error)
        return done

    def _use_a_board(self, place: int, done: list[OnBoard], lost: int) -> None:
        board = open_transport(self.target, self._tell)
        if isinstance(board, Unavailable):
            raise StageFailure(f"{board.reason}; {board.mend}")
        with board:
            self._held.add(board)
            try:
                while len(done) < len(self.artifacts) and not self.stopped.is_set():
                    done.append(self._measure(board, self.artifacts[len(done)], place, lost))
                    self._tell_step(done[-1])
            finally:
                self._held.discard(board)

    def _measure(self, board: Transport, artifact: Path, place: int, lost: int) -> OnBoard:
        try:
            found = measure(artifact, self.target, self.settings, transport=board, timeout=self.timeout)
        except BoardLost:
            raise
        except StageFailure as failure:
            return OnBoard(str(artifact), place, board.board, lost, failure=str(failure))
        if isinstance(found, NotRun):
            return OnBoard(str(artifact), place, board.board, lost, failure=found.absent.reason)
        return OnBoard(str(artifact), place, board.board, lost, measurement=found)

    def _give_up(self, place: int, done: list[OnBoard], lost: int, error: EdgepruneError) -> None:
        for artifact in self.artifacts[len(done) :]:
            done.append(OnBoard(str(artifact), place, "", lost, failure=str(error)))
            self._tell_step(done[-1])

    def _tell(self, message: str) -> None:
        with self._telling:
            self.progress.note(message)

    def _tell_step(self, result: OnBoard) -> None:
        with self._telling:
            self.progress.advance(f"{result.board or 'no board'}: {result.failure or 'measured'}")
