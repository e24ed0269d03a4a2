"""Part "throughput": candidates a second, start-up, memory and a warm rebuild, beside stock MetaSchedule."""

from __future__ import annotations

from typing import Any

from tuning_bench.goals import (
    CANDIDATES_PER_SECOND,
    MEMORY_GIB,
    START_SECONDS,
    WARM_SECONDS,
    Verdict,
    at_least,
    at_most,
)
from tuning_bench.part import Part
from tuning_bench.provenance import code_hash
from tuning_bench.race import TARGET, Race
from tuning_bench.watch import Watched

NETWORK = "resnet20"
_TRIALS, _STOCK_TRIALS = 160, 64
_QUICK_TRIALS, _QUICK_STOCK_TRIALS = 16, 16
_LONGEST_S = 600.0


def run(part: Part) -> None:
    """Make the row."""
    if part.prepare_only:
        return
    ours, stock = (_QUICK_TRIALS, _QUICK_STOCK_TRIALS) if part.quick else (_TRIALS, _STOCK_TRIALS)
    ours = min(ours, part.budget.trials)
    name, code, settings = NETWORK, code_hash(), {"trials": ours, "stock_trials": stock}
    if not part.missing(name, code, settings):
        return
    race = Race.start(part, NETWORK)
    cold = race.ours(ours, _LONGEST_S)
    part.say(f"throughput: ours: {len(cold.arrivals)} records in {cold.seconds:.0f} s {cold.last_words}")
    warm = race.again(ours, _LONGEST_S)
    build = race.watched(
        race.command(
            *("build", str(race.path), "--target", TARGET, "--name", "network"),
            *("--tuned", str(race.place / "tuned-again"), "--out", str(race.place / "artifact")),
        ),
        "build.log",
    )
    theirs = race.stock(stock, _LONGEST_S)
    part.say(f"throughput: stock: {len(theirs.arrivals)} records in {theirs.seconds:.0f} s {theirs.last_words}")
    figures = {
        "ours": figures_of(cold),
        "warm": {"tune": figures_of(warm), "build_seconds": build.seconds, "build_code": build.code},
        "stock": figures_of(theirs),
    }
    part.put(name, code, settings, figures, verdicts(cold, warm, build))


def figures_of(watched: Watched) -> dict[str, Any]:
    """Return what a row says of one command."""
    return {
        "code": watched.code,
        "seconds": round(watched.seconds, 1),
        "records": len(watched.arrivals),
        "first_record_seconds": watched.first,
        "records_per_second_after_first": watched.rate,
        "records_per_second_in_all": watched.rate_in_all,
        "memory_gib": round(watched.memory, 2),
        "processor_seconds": round(watched.processor_seconds, 1),
    }


def verdicts(cold: Watched, warm: Watched, build: Watched) -> list[Verdict]:
    """Return the verdicts; a command that failed gives none."""
    rebuilt = warm.seconds + build.seconds if warm.code == 0 and build.code == 0 else None
    new = len(warm.arrivals) - len(cold.arrivals) if warm.code == 0 else None
    ran = cold.code == 0
    return [
        at_least("candidates a second, after the first", CANDIDATES_PER_SECOND, cold.rate if ran else None),
        at_most("seconds before the first record", START_SECONDS, cold.first if ran else None),
        at_most("GiB of memory, all processes", MEMORY_GIB, cold.memory if ran else None),
        at_most("trials of a warm rebuild", 0, new),
        at_most("seconds of a warm rebuild, tune and build", WARM_SECONDS, rebuilt),
    ]
