"""How many candidates a second tuning gets done with more and more boards of one key.

The boards are TVM's own RPC servers on loopback behind its tracker (`rpc_fleet.py`). They sleep for every candidate, as
slow boards would be busy with it, so that boards are short and not the cores of this machine, which build. Each number
of boards starts from no records; its time has everything in it, from opening boards to waiting for the last of them.
Prints JSON.

    python tools/fleet_throughput.py resnet8.onnx --boards 1 2 4
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from rpc_fleet import HOST, Fleet

from edgeprune.lowering import Lowered, lower
from edgeprune.measuring.rpc.tracker import count_boards
from edgeprune.recipe import Tune
from edgeprune.target import Target, find_target
from edgeprune.tuning.engine import tune

KEY = "slow"
_LOOKS = 300


@dataclass(frozen=True)
class Throughput:
    """What ``boards`` got done, in all and per second."""

    boards: int
    trials: int
    seconds: float
    rate: float


def throughput(fleet: Fleet, lowered: Lowered, boards: int, trials: int, candidate_seconds: float) -> Throughput:
    """Tune ``lowered`` for this machine's CPU on ``boards`` new boards of ``fleet``, from no records."""
    tracker = fleet.tracker()
    for _ in range(boards):
        fleet.server(KEY, tracker, candidate_seconds=candidate_seconds)
    target = find_target(f"host@tracker://{HOST}:{tracker.port}/{KEY}")
    _wait_until_known(target, boards)
    with tempfile.TemporaryDirectory(prefix="throughput-") as folder:
        found = tune(lowered, target, Tune(trials=trials, seconds=3600), database=Path(folder))
    return Throughput(boards, found.trials, round(found.seconds, 1), round(found.trials / found.seconds, 2))


def _wait_until_known(target: Target, boards: int) -> None:
    """A server is listening before its tracker knows of it; tuning takes the boards that the tracker knows then."""
    assert target.address is not None
    for _ in range(_LOOKS):
        if count_boards(target.address).known == boards:
            return
        time.sleep(0.1)
    raise TimeoutError(f"{target.address}: the tracker knows {count_boards(target.address).known} of {boards} boards")


def main() -> None:
    """Measure every number of boards in turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", type=Path, metavar="MODEL.onnx")
    parser.add_argument("--boards", type=int, nargs="+", default=[1, 2, 4], metavar="N")
    parser.add_argument("--trials", type=int, default=160)
    parser.add_argument("--candidate-seconds", type=float, default=1.0, help="what a board sleeps for each [1]")
    given = parser.parse_args()
    lowered = lower(given.network, find_target("host"))
    with tempfile.TemporaryDirectory(prefix="throughput-locks-") as locks, Fleet(Path(locks)) as fleet:
        found = [throughput(fleet, lowered, count, given.trials, given.candidate_seconds) for count in given.boards]
    print(json.dumps([asdict(one) for one in found], indent=2))


if __name__ == "__main__":
    main()
