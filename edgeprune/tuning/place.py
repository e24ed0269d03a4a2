"""A place in the row of boards: it holds one, loses it, and gets another."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from edgeprune.errors import EdgepruneError, StageFailure
from edgeprune.measuring.transport import BoardLost
from edgeprune.tuning.board import Board
from edgeprune.tuning.outcome import Outcome
from edgeprune.tuning.runner import Candidate

State = Literal["opening", "free", "busy", "gone"]
# A place that cannot get a board so many times in a row is given up.
_ATTEMPTS = 3
_PAUSE_SECONDS = 1.0


class Place:
    """Works in threads, one at a time; ``state``, ``board`` and what it hands out change in `settle` only."""

    def __init__(self, open_board: Callable[[], Board], done: Callable[[], None], board: Board | None = None) -> None:
        """Use ``board``, or get one; ``done`` is called from a thread whenever `settle` has something to do."""
        self._open = open_board
        self._done = done
        self._closing = threading.Event()
        # Whoever comes second, the thread that has opened a board or `close`, closes that board.
        self._handover = threading.Lock()
        self._settled = threading.Event()
        self._thread: threading.Thread | None = None
        self._opened: Board | EdgepruneError | None = None
        self._measured: list[Outcome] | EdgepruneError | None = None
        self.board = board
        self.state: State = "free"
        self.calibrated = False
        self.calibration: float | None = None
        self._candidates: list[Candidate] = []
        if board is None:
            self._get_board()

    def submit(
        self, candidates: Sequence[Candidate], reference: Path, calibrator: tuple[Candidate, Path] | None
    ) -> None:
        """Measure a batch, after the board's calibration by ``calibrator`` if that is given; must be free."""
        assert self.state == "free"
        self.state, self._candidates = "busy", list(candidates)
        self._start(lambda: self._measure(reference, calibrator))

    def settle(self) -> list[Outcome] | EdgepruneError | None:
        """Return a batch's outcomes once they are there, or the error that cost it, or that no board can be had.

        Then `take` gives the batch. A lost board is replaced; one that refuses is given up.
        """
        if self._thread is None or not self._settled.is_set():
            return None
        self._thread.join()
        self._thread = None
        if self.state == "opening":
            return self._settle_board()
        found, self._measured = self._measured, None
        self.state = "free"
        if isinstance(found, EdgepruneError):
            self._give_up_board()
            self.state = "gone"
        if isinstance(found, BoardLost):
            self._get_board()
        return found

    def take(self) -> list[Candidate]:
        """Return the batch that was submitted last, once."""
        taken, self._candidates = self._candidates, []
        return taken

    def close(self) -> None:
        """Wait for what runs, at most its time-out, and let go of the board.

        A board that is still being opened is not waited for: its thread closes it.
        """
        with self._handover:
            self._closing.set()
            opened, self._opened = self._opened, None
        if isinstance(opened, Board):
            opened.close()
        if self._thread is not None and self.state != "opening":
            self._thread.join()
        if self.board is not None:
            self.board.close()

    def _settle_board(self) -> EdgepruneError | None:
        found, self._opened = self._opened, None
        if isinstance(found, Board):
            self.board, self.state = found, "free"
            return None
        self.state = "gone"
        return found

    def _give_up_board(self) -> None:
        assert self.board is not None
        self.board.close()
        self.board, self.calibrated, self.calibration = None, False, None

    def _get_board(self) -> None:
        self.state = "opening"
        self._start(self._open_board)

    def _start(self, work: Callable[[], None]) -> None:
        self._settled.clear()
        self._thread = threading.Thread(target=self._do, args=(work,), daemon=True)
        self._thread.start()

    def _do(self, work: Callable[[], None]) -> None:
        work()
        self._settled.set()
        self._done()

    def _open_board(self) -> None:
        for attempt in range(_ATTEMPTS):
            opened = self._try_to_open()
            if isinstance(opened, Board) or attempt + 1 == _ATTEMPTS or self._closing.wait(_PAUSE_SECONDS):
                break
        with self._handover:
            unwanted = self._closing.is_set()
            self._opened = None if unwanted else opened
        if unwanted and isinstance(opened, Board):
            opened.close()

    def _try_to_open(self) -> Board | EdgepruneError:
        try:
            return self._open()
        except EdgepruneError as error:
            return error
        except Exception as error:  # the folder of a run that has ended meanwhile is gone, for one
            return StageFailure(f"a board cannot be opened: {type(error).__name__}: {error}")

    def _measure(self, reference: Path, calibrator: tuple[Candidate, Path] | None) -> None:
        assert self.board is not None
        try:
            if calibrator is not None:
                self.calibration = self.board.calibrate(*calibrator)
            self.calibrated = True
            self._measured = self.board.measure(self._candidates, reference)
        except EdgepruneError as error:
            self._measured = error
        except Exception as error:  # a thread's exception would otherwise be lost, and the tuner wait for ever
            self._measured = StageFailure(f"{self.board.name}: {type(error).__name__}: {error}")
