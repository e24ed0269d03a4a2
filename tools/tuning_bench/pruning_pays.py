"""Part "pruning-pays": what halving the multiply-adds by channels gains, and whether any channel count is a bad one."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from edgeprune.emulation import Unavailable
from edgeprune.measuring.compare_interleaved import compare_interleaved
from edgeprune.target import find_target
from tuning_bench.channel_sweep import QUICK_ROUNDS, ROUNDS, sweep
from tuning_bench.goals import HALVED_MACS_SPEED, at_least
from tuning_bench.networks import network
from tuning_bench.part import Part
from tuning_bench.provenance import code_hash

FULL, HALVES = "resnet20", ("resnet20-odd", "resnet20-eights")


def run(part: Part) -> None:
    """Make the rows of the networks and of the sweeps."""
    for half in HALVES:
        for schedules in ("default", "tuned") if part.budget.trials else ("default",):
            _halved(part, half, schedules)
    sweep(part)


def _halved(part: Part, half: str, schedules: str) -> None:
    name, code = f"{FULL} over {half}, {schedules} schedules", code_hash()
    rounds = QUICK_ROUNDS if part.quick else ROUNDS
    settings = {"budget": asdict(part.budget) if schedules == "tuned" else None, "rounds": rounds}
    if not part.missing(name, code, settings):
        return
    built = [directory for wanted in (FULL, half) if (directory := _built(part, wanted, schedules)) is not None]
    if part.prepare_only or len(built) < 2:
        return
    macs = [_macs(directory) for directory in built]
    compared = compare_interleaved(*built, find_target("host"), rounds=rounds, samples=20 if part.quick else 100)
    assert not isinstance(compared, Unavailable)
    interval = (compared.ratio_interval.low, compared.ratio_interval.high)
    figures = {
        "macs": macs,
        "p50_us": [compared.first.p50 / 1000, compared.second.p50 / 1000],
        "speed": compared.ratio,
        "interval": interval,
    }
    goal = f"speed of {half} over {FULL}, {schedules} schedules, at {macs[1] / macs[0]:.2f} of the MACs"
    part.put(name, code, settings, figures, [at_least(goal, HALVED_MACS_SPEED, compared.ratio, interval)])


def _built(part: Part, name: str, schedules: str) -> Path | None:
    """Return the artifact, ``None`` where the network cannot be tuned."""
    path = part.workshop.network(network(name))
    tuned, _ = part.tuned(path, "host") if schedules == "tuned" else (None, "")
    if tuned is None and schedules == "tuned":
        return None
    return part.workshop.artifact(path, "host", 1, tuned)


def _macs(artifact: Path) -> int:
    steps: list[dict[str, Any]] = json.loads((artifact / "manifest.json").read_text(encoding="utf-8"))["steps"]
    return sum(int(step["macs"]) for step in steps)
