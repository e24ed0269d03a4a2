"""Part "curve": seconds per inference after so many trials, ours and stock MetaSchedule's."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence

from peers.engine import Refused

from tuning_bench.goals import SHARE_OF_STOCK_TRIALS, Verdict, at_most, never, not_measured
from tuning_bench.networks import KERNELS
from tuning_bench.part import Part
from tuning_bench.provenance import code_hash
from tuning_bench.race import TARGET, Race
from tuning_bench.replay import trials_to_reach

# Whole networks take hours until stock MetaSchedule has found anything for every kernel.
_TRIALS, _STOCK_TRIALS = 64, 128
_QUICK_TRIALS, _QUICK_STOCK_TRIALS = 16, 32
_LONGEST_S = 400.0
SPEED = 0.95

Points = Sequence[tuple[int, float]]


def run(part: Part) -> None:
    """Make a row per network."""
    if part.prepare_only:
        return
    for network in KERNELS:
        _race(part, network.name)


def _race(part: Part, name: str) -> None:
    trials = _QUICK_TRIALS if part.quick else min(_TRIALS, part.budget.trials)
    stock_trials = part.stock_trials or (_QUICK_STOCK_TRIALS if part.quick else _STOCK_TRIALS)
    code, settings = code_hash(), {"trials": trials, "stock_trials": stock_trials}
    if not part.missing(name, code, settings):
        return
    race = Race.start(part, name)
    sides = {"ours": race.ours(trials, _LONGEST_S), "stock": race.stock(stock_trials, _LONGEST_S)}
    for side, watched in sides.items():
        part.say(f"curve: {side}: {len(watched.arrivals)} records in {watched.seconds:.0f} s {watched.last_words}")
        if watched.code != 0:
            part.say(f"curve: {side} ended with code {watched.code}")
    curves = _retimed(race, stock_trials)
    ours, stock = ([tuple(point) for point in curves[side]["points"]] for side in ("ours", "stock"))
    figures = {"ours": curves["ours"], "stock": curves["stock"], "reached": reached(ours, stock)}
    part.put(name, code, settings, figures, [verdict(ours, stock, curves["stock"]["trials"])])


def _retimed(race: Race, stock_trials: int) -> dict[str, dict[str, object]]:
    out = race.place / "curves.json"
    places = [str(place) for place in (race.lowered(), race.our_records(), race.stock_records(stock_trials), out)]
    command = [sys.executable, "-m", "tuning_bench.retime", places[0], TARGET, *places[1:]]
    done = subprocess.run(command, env=race.environment(), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Refused(f"timing both again: {(done.stderr.strip().splitlines() or ['no message'])[-1]}")
    found: dict[str, dict[str, object]] = json.loads(out.read_text())
    return found


def reached(ours: Points, stock: Points) -> dict[str, dict[str, int | float | None]]:
    """Return the trials each side needs for 95 % of its own final speed, and of the other's."""
    finals = {"ours": ours[-1][1], "stock": stock[-1][1]}
    return {
        f"95 % of the final speed of {whose}": {
            "microseconds": final / SPEED * 1e6,
            "ours": trials_to_reach(ours, final / SPEED),
            "stock": trials_to_reach(stock, final / SPEED),
        }
        for whose, final in finals.items()
    }


def verdict(ours: Points, stock: Points, stock_trials: int) -> Verdict:
    """Return our trials over stock MetaSchedule's to 95 % of the speed that stock MetaSchedule ends at."""
    goal = "our trials over stock MetaSchedule's, to 95 % of its final speed"
    wanted = stock[-1][1] / SPEED
    mine, theirs = trials_to_reach(ours, wanted), trials_to_reach(stock, wanted)
    if not theirs or not stock_trials:
        return not_measured(goal, "<=", SHARE_OF_STOCK_TRIALS, "stock MetaSchedule made no trial that counts")
    if mine is None:
        return never(goal, "<=", SHARE_OF_STOCK_TRIALS, f"{theirs} trials of stock's are enough, ours never got there")
    return at_most(goal, SHARE_OF_STOCK_TRIALS, mine / theirs)
