"""Measure an artifact on many boards behind one tracker while some of them are killed and come back.

The boards are TVM's own RPC servers on loopback (`rpc_fleet.py`). Prints what happened as JSON; exit code 1 when a
result was lost, came twice, or is a failure, or when something was left running or lying there.

    python tools/stress_tracker.py build/host/pruned --boards 64 --kill 10
"""

from __future__ import annotations

import argparse
import importlib
import json
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
from rpc_fleet import HOST, Fleet, Served

from edgeprune.measuring.bench_artifact import BenchArtifact
from edgeprune.measuring.many_boards import OnBoard, measure_on_boards
from edgeprune.measuring.rpc import launcher_for
from edgeprune.measuring.rpc.tracker import count_boards
from edgeprune.progress import SilentProgress
from edgeprune.recipe import Measure
from edgeprune.target import Address, find_target

KEY = "stress"


class Notes(SilentProgress):
    """Shows what a user would see."""

    def note(self, message: str) -> None:
        """Print it."""
        print(message, file=sys.stderr, flush=True)


class Reaper:
    """Kills boards at random and starts each again half a second later, until it has killed ``wanted``."""

    def __init__(self, fleet: Fleet, tracker: Served, boards: list[Served], wanted: int, seed: int) -> None:
        self.killed: list[int] = []
        self._fleet, self._tracker, self._boards, self._wanted = fleet, tracker, boards, wanted
        self._random = random.Random(seed)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._reap)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; a board that is down is brought up first."""
        self._stop.set()
        self._thread.join()

    def _reap(self) -> None:
        for victim in self._random.sample(range(len(self._boards)), self._wanted):
            if self._stop.wait(self._random.uniform(0.2, 1.0)):
                return
            board = self._boards[victim]
            board.kill()
            self.killed.append(board.port)
            time.sleep(0.5)
            self._boards[victim] = self._fleet.server(KEY, self._tracker, board.port)


def stress(
    fleet: Fleet, artifacts: list[Path], boards: int, kills: int, settings: Measure, seed: int
) -> dict[str, Any]:
    """Return what happened to ``boards`` new servers of ``fleet``; ``faults`` is empty when all is well."""
    # What takes long once is over before the first board is killed.
    importlib.import_module("tvm.rpc")
    launcher_for(find_target("host"))
    tracker = fleet.tracker()
    served = [fleet.server(KEY, tracker) for _ in range(boards)]
    address = f"tracker://{HOST}:{tracker.port}/{KEY}"
    while count_boards(Address.parse(address)).free < boards:
        time.sleep(0.1)
    target = find_target(f"host@{address}")
    reaper = Reaper(fleet, tracker, served, kills, seed)
    reaper.start()
    started = time.monotonic()
    try:
        results = measure_on_boards(artifacts, target, settings, boards=boards, progress=Notes())
        seconds = time.monotonic() - started
    finally:
        reaper.stop()
    return _describe(results, artifacts, boards, reaper.killed, seconds, settings)


def _describe(
    results: list[OnBoard], artifacts: list[Path], boards: int, killed: list[int], seconds: float, settings: Measure
) -> dict[str, Any]:
    wanted = Counter((place, str(artifact)) for place in range(boards) for artifact in artifacts)
    came = Counter((result.place, result.artifact) for result in results)
    faults = [f"lost: {missing}" for missing in wanted - came]
    faults += [f"twice: {extra}" for extra in came - wanted]
    faults += [f"failed: {result.failure}" for result in results if result.measurement is None]
    for result in results:
        if result.measurement is not None and len(result.measurement.samples_ns or ()) != settings.samples:
            faults.append(f"cut short: {result.board}")
    faults += _left_behind([BenchArtifact.load(artifact).executable.name for artifact in artifacts])
    return {
        "boards": boards,
        "killed": len(killed),
        "results": len(results),
        "lost_while_measuring": sum(max(r.lost for r in results if r.place == place) for place in range(boards)),
        "different_boards": len({result.board for result in results}),
        "seconds": round(seconds, 1),
        "faults": faults,
    }


def _left_behind(names: list[str]) -> list[str]:
    """A board has a moment to tidy up."""
    for _ in range(100):
        left = [
            f"still running: {process.info['cmdline']}"
            for process in psutil.process_iter(["cmdline", "status"])
            if process.info["status"] != psutil.STATUS_ZOMBIE
            and any(Path(word).name in names for word in (process.info["cmdline"] or ())[:1])
        ]
        left += [f"still there: {path}" for name in names for path in Path(tempfile.gettempdir()).glob(f"tmp*/{name}")]
        if not left:
            break
        time.sleep(0.1)
    return left


def main() -> int:
    """Read the command line, run, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("artifacts", nargs="+", type=Path)
    parser.add_argument("--boards", type=int, default=64)
    parser.add_argument("--kill", type=int, default=10)
    parser.add_argument("--warmup", type=int, default=100_000, help="untimed inferences, which make a run longer")
    parser.add_argument("--samples", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    settings = Measure(warmup=given.warmup, samples=given.samples)
    with tempfile.TemporaryDirectory(prefix="edgeprune-") as locks, Fleet(Path(locks)) as fleet:
        found = stress(fleet, given.artifacts, given.boards, given.kill, settings, given.seed)
    print(json.dumps(found, indent=2))
    return int(bool(found["faults"]))


if __name__ == "__main__":
    sys.exit(main())
