"""Whether any channel count is a bad one: a convolution of every count, here and on an emulated core.

A count that does not fill its last vector must not take longer than the next larger one that does.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from edgeprune.lowering import tvm_target
from edgeprune.lowering.register_tile import VectorUnit
from edgeprune.measuring import NotRun, measure
from edgeprune.recipe import Measure
from edgeprune.target import find_target
from tuning_bench.convolutions import Convolution, write_convolutions
from tuning_bench.goals import Ratio, Verdict, at_most, not_measured, ratio_of_rounds
from tuning_bench.part import Part
from tuning_bench.provenance import code_hash, model_hash
from tuning_bench.workshop import Budget, Tuned

CHANNELS = range(8, 41)
_QUICK_CHANNELS = (8, 11, 13, 15, 16)
_SIZE = 16
NOISE = 1.05
"""A count may take so much longer than the next whole number of vectors before it counts as slower."""

_TRIALS_PER_COUNT = 12
ROUNDS, QUICK_ROUNDS = 9, 3
EMULATED, _CORE = "rpi3", "cortex-a53"


def sweep(part: Part) -> None:
    """Make the rows of this machine and of the emulated core."""
    _sweep_here(part)
    _sweep_emulated(part)


def _counts(part: Part) -> Sequence[int]:
    return _QUICK_CHANNELS if part.quick else CHANNELS


def _network(part: Part) -> Path:
    counts = _counts(part)
    convolutions = [Convolution(f"{count} channels", count, count, _SIZE) for count in counts]
    name = f"sweep-{counts[0]}-{counts[-1]}-{len(counts)}"
    return part.workshop.model(name, lambda path: write_convolutions(convolutions, path))


def _sweep_here(part: Part) -> None:
    for schedules in ("default", "tuned") if part.budget.trials else ("default",):
        name, code = f"channel sweep on this machine, {schedules} schedules", code_hash()
        rounds = QUICK_ROUNDS if part.quick else ROUNDS
        budget = _sweep_budget(part)
        settings = {"budget": asdict(budget) if schedules == "tuned" else None, "rounds": rounds}
        if not part.missing(name, code, settings):
            continue
        path = _network(part)
        tuned, _ = part.tuned(path, "host", budget) if schedules == "tuned" else (None, "")
        if tuned is None and schedules == "tuned":
            continue
        artifact = part.workshop.artifact(path, "host", 1, tuned)
        if part.prepare_only:
            continue
        times = _profiled(artifact, _counts(part), rounds)
        lanes = lanes_of("host")
        ratios = {count: ratio for count, ratio in against_multiples(times, lanes).items() if ratio is not None}
        figures = {
            "lanes": lanes,
            "us": {count: float(np.median(rounds)) / 1000 for count, rounds in times.items()},
            "over_next_multiple": {count: asdict(ratio) for count, ratio in ratios.items()},
        }
        part.put(name, code, settings, figures, [sweep_verdict(f"this machine, {schedules} schedules", ratios)])


def _sweep_budget(part: Part) -> Budget:
    return Budget(min(part.budget.trials, _TRIALS_PER_COUNT * len(_counts(part))), part.budget.seconds)


def _profiled(artifact: Path, counts: Sequence[int], rounds: int) -> dict[int, list[float]]:
    """Return every convolution's median by round, in nanoseconds; all run one after another in every inference."""
    times: dict[int, list[float]] = {count: [] for count in counts}
    for _ in range(rounds):
        found = measure(artifact, find_target("host"), Measure(protocol="quick"))
        assert not isinstance(found, NotRun)
        for index, count in enumerate(counts):
            wanted = f"conv{index}"
            times[count].append(sum(step.p50 for step in found.profile if wanted in step.nodes))
    return times


def _sweep_emulated(part: Part) -> None:
    """Take every kernel's cycles from the tuner, which reads them off the emulator for the schedule without tuning."""
    if not part.budget.trials:
        return
    name, code = f"channel sweep on an emulated {EMULATED}", f"{code_hash()}-{model_hash(_CORE)}"
    budget = _sweep_budget(part)
    settings = asdict(budget)
    if not part.missing(name, code, settings):
        return
    path = _network(part)
    tuned, _ = part.tuned(path, EMULATED, budget, emulated=True)
    if tuned is None:
        return
    artifact = part.workshop.artifact(path, EMULATED, 1, tuned)
    lanes = lanes_of(EMULATED)
    figures: dict[str, Any] = {"lanes": lanes, "tuning": tuned.summary}
    verdicts = []
    for schedules, key in (("default", "baseline_us"), ("tuned", "used_us")):
        times = _estimated(tuned, artifact, _counts(part), key)
        ratios = {count: ratio for count, ratio in against_multiples(times, lanes).items() if ratio is not None}
        figures[f"us_{schedules}"] = {count: rounds[0] for count, rounds in times.items()}
        verdicts.append(sweep_verdict(f"{EMULATED}, {schedules} schedules, estimated cycles", ratios))
    part.put(name, code, settings, figures, verdicts)


def _estimated(tuned: Tuned, artifact: Path, counts: Sequence[int], key: str) -> dict[int, list[float]]:
    steps = json.loads((artifact / "manifest.json").read_text(encoding="utf-8"))["steps"]
    kernel_of = {node: step["kernel"].removesuffix("_prepacked") for step in steps for node in step["onnx_nodes"]}
    times: dict[str, float] = {}
    for kernel in tuned.result["kernels"]:
        known = [kernel[name] for name in ("best_us", "baseline_us") if kernel[name] is not None]
        wanted = kernel["baseline_us"] if key == "baseline_us" else min(known, default=None)
        if wanted is not None:
            times[kernel["name"]] = wanted
    found = {count: times.get(kernel_of[f"conv{index}"]) for index, count in enumerate(counts)}
    return {count: [time] for count, time in found.items() if time is not None}


def lanes_of(target: str) -> int:
    """Return how many float32 values the target's vectors hold."""
    unit = VectorUnit.of(tvm_target(find_target(target))).holding("float32")
    return int(unit.lanes[0])


def against_multiples(times: Mapping[int, Sequence[float]], lanes: int) -> dict[int, Ratio | None]:
    """Return, by channel count, the time over that of the next larger multiple of ``lanes``; ``None`` without one."""
    found: dict[int, Ratio | None] = {}
    for count, rounds in times.items():
        multiple = math.ceil(count / lanes) * lanes
        if multiple == count:
            continue
        others = times.get(multiple)
        found[count] = None if others is None else _ratio(rounds, others)
    return found


def _ratio(ours: Sequence[float], theirs: Sequence[float]) -> Ratio:
    if len(ours) > 1:
        return ratio_of_rounds(ours, theirs)
    return Ratio(ours[0] / theirs[0], ours[0] / theirs[0], ours[0] / theirs[0])


def sweep_verdict(where: str, ratios: Mapping[int, Ratio]) -> Verdict:
    """Return whether even the worst count is no slower than the next multiple, and say which it is."""
    goal = f"slowest channel count over the next multiple of the vector, {where}"
    if not ratios:
        return not_measured(goal, "<=", NOISE, "no count has both times")
    worst = max(ratios, key=lambda count: ratios[count].value)
    ratio = ratios[worst]
    slow = sum(other.value > NOISE for other in ratios.values())
    named = f"{goal} ({worst} channels; {slow} of {len(ratios)} above)"
    return at_most(named, NOISE, ratio.value, (ratio.low, ratio.high))
