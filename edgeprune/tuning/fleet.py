"""Candidates run on boards, one or many of a kind, through any transport; or in emulators side by side."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Sequence
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median_low

import tvm
from tvm.s_tir.meta_schedule.utils import _json_de_tvm

from edgeprune.artifact.space import has_little_space
from edgeprune.errors import EdgepruneError
from edgeprune.measuring.transport import BoardLost
from edgeprune.tuning.board import Board
from edgeprune.tuning.local_runner import LocalRunner
from edgeprune.tuning.outcome import Outcome
from edgeprune.tuning.place import Place
from edgeprune.tuning.runner import Candidate
from edgeprune.tuning.worker import Job

# A candidate that two boards went away with is taken for the cause.
_MOST_LOST = 2
# Boards of a kind that differ by more than this are reported.
_ALIKE = 0.05


class Fleet:
    """Hands batches to whichever board is free.

    What a kernel must compute comes from running it unscheduled on this machine. A board that is lost costs its batch
    no more than the time: another board does it again.
    """

    batch = 8
    suffix = ".o"
    alone = False

    def __init__(
        self,
        directory: Path,
        target: tvm.target.Target,
        host: LocalRunner,
        first: Board,
        open_board: Callable[[], Board],
        places: int,
        *,
        calibrate: bool,
        notify: Callable[[str], None] = lambda message: None,
    ) -> None:
        """Use the ``first`` board, and let ``places - 1`` further ones be opened meanwhile.

        ``directory`` holds references; ``host`` runs them, and is closed with the fleet. ``calibrate`` has every board
        run the first kernel as it is untuned, and what differs is told by ``notify``.
        """
        self._directory = directory
        self._target = _json_de_tvm(target.export())
        self._host = host
        self._calibrate = calibrate
        self._notify = notify
        self._references: dict[str, Path] = {}
        self._calibrator: tuple[Candidate, Path] | None = None
        self._again: deque[list[Candidate]] = deque()
        self._told: set[str] = set()
        self._readable, writable = Pipe(duplex=False)

        def tell() -> None:
            # A board that is still being opened when the fleet is gone has nobody to tell.
            with contextlib.suppress(OSError):
                writable.send_bytes(b"settled")

        self._places = [Place(open_board, tell, first)]
        self._places += [Place(open_board, tell) for _ in range(places - 1)]

    def build_job(self, module: tvm.IRModule, number: int, product: Path) -> Job:
        """Return the job that makes an object file for the board."""
        return {
            "kind": "object",
            "module": tvm.ir.save_json(module),
            "target": self._target,
            "object": str(product),
            "prefix": f"c{number}",
        }

    def reference_job(self, module: tvm.IRModule, product: Path) -> Job:
        """Return the job that makes a shared library for this machine."""
        return self._host.reference_job(module, product)

    def set_reference(self, candidate: Candidate) -> None:
        """Run the kernel unscheduled here, and keep its inputs and output in files for the boards."""
        stem = self._directory / candidate.workload
        self._host.run_reference(candidate, store=str(stem))
        self._references[candidate.workload] = stem

    @property
    def places(self) -> int:
        """Return how many boards there are, those that are being opened included."""
        return max(1, sum(place.state != "gone" for place in self._places))

    @property
    def free(self) -> bool:
        """Return whether a board is free."""
        return not self._again and any(place.state == "free" for place in self._places)

    @property
    def idle(self) -> bool:
        """Return whether no batch is on a board."""
        return not self._again and all(place.state != "busy" for place in self._places)

    def submit(self, candidates: Sequence[Candidate]) -> None:
        """Link and run a batch on a free board, in a thread, which mostly waits for other processes."""
        reference = self._references[candidates[0].workload]
        if self._calibrate and self._calibrator is None:
            self._calibrator = (candidates[0], reference)
        place = next(place for place in self._places if place.state == "free")
        place.submit(candidates, reference, None if place.calibrated else self._calibrator)

    def finished(self) -> list[tuple[int, Outcome]]:
        """Return the outcomes of the batches that are done.

        Raises:
            StageFailure: no board is left; earlier outcomes were returned.
        """
        while self._readable.poll():
            self._readable.recv_bytes()
        done: list[tuple[int, Outcome]] = []
        for place in self._places:
            settled = place.settle()
            candidates = place.take() if settled is not None else []
            if isinstance(settled, EdgepruneError):
                done += self._take_back(place, candidates, settled)
            elif settled is not None:
                done += [(one.number, outcome) for one, outcome in zip(candidates, settled, strict=True)]
                self._remove_objects(candidates)
                self._compare_boards()
        while self._again and any(place.state == "free" for place in self._places):
            batch = self._again.popleft()
            self.submit(batch)
        return done

    @property
    def waitable(self) -> Connection:
        """Return what a board's thread writes to when it is done."""
        return self._readable

    def close(self) -> None:
        """Wait for what runs on the boards, at most its time-out, and end the process of the references."""
        for place in self._places:
            place.close()
        self._host.close()

    def _take_back(self, place: Place, candidates: list[Candidate], error: EdgepruneError) -> list[tuple[int, Outcome]]:
        """Queue a batch again that its board has cost; return the outcomes of those that were lost too often."""
        nobody_left = place.state == "gone" and not any(other.state != "gone" for other in self._places)
        if nobody_left or has_little_space(self._directory):
            raise error
        whose = "another board does its work" if len(self._places) > 1 else "its work is done again"
        self._notify(f"{error}; {whose}" if candidates else str(error))
        if isinstance(error, BoardLost):
            for candidate in candidates:
                candidate.lost += 1
        again = [candidate for candidate in candidates if candidate.lost < _MOST_LOST]
        if again:
            self._again.append(again)
        return [(one.number, Outcome(None, "board lost", str(error))) for one in candidates if one not in again]

    def _remove_objects(self, candidates: Sequence[Candidate]) -> None:
        kept = None if self._calibrator is None else self._calibrator[0]
        for candidate in candidates:
            if candidate is not kept:
                candidate.product.unlink(missing_ok=True)

    def _compare_boards(self) -> None:
        """Tell once of every board that is faster or slower than the middle one, of two in the middle the faster.

        What disturbs a board makes it slow; and the mean of two boards would be as far from the one that is as it
        should be as from the other, and hide half of what they differ by.
        """
        known = {place.board.name: place.calibration for place in self._places if place.board and place.calibration}
        if len(known) < 2:
            return
        middle = median_low(known.values())
        for name, seconds in known.items():
            differs = seconds / middle - 1
            if abs(differs) > _ALIKE and name not in self._told:
                self._told.add(name)
                self._notify(
                    f"{name} takes {abs(differs):.0%} {'more' if differs > 0 else 'less'} time for the calibration "
                    f"kernel than the middle of {len(known)} boards: what is timed there is not comparable"
                )
