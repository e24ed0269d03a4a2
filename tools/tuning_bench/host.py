"""Part "host": our artifacts, untuned and tuned, beside every engine installed, on this machine."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from peers.contest import REFERENCE, Entrant, Row, Turns, contest
from peers.engine import Refused, read_signature

from tuning_bench.goals import (
    UNTUNED_OVER_ONNX_RUNTIME,
    Verdict,
    at_most,
    best_peer_limit,
    not_measured,
    ratio_of_rounds,
)
from tuning_bench.networks import Network
from tuning_bench.part import Part
from tuning_bench.provenance import code_hash
from tuning_bench.workshop import Tuned

UNTUNED, TUNED = "edgeprune, untuned", "edgeprune, tuned"
OURS = (UNTUNED, TUNED)
TARGET = "host"

_STANDARD = Turns(rounds=15, seconds=0.08, most=1000)
_QUICK = Turns(rounds=5, seconds=0.02, most=100)


def run(part: Part) -> None:
    """Make a row per network and number of threads."""
    for network in part.networks:
        for threads in part.threads:
            _compare(part, network, threads)


def _compare(part: Part, network: Network, threads: int) -> None:
    turns = _QUICK if part.quick else _STANDARD
    name = f"{network.name}, {threads} thread{'s' if threads > 1 else ''}"
    settings = {"budget": asdict(part.budget), "turns": asdict(turns), "engines": list(part.engines)}
    code = code_hash()
    if not part.missing(name, code, settings):
        return
    cores = sorted(os.sched_getaffinity(0))[:threads]
    if len(cores) < threads:
        part.say(f"{part.name}: {name}: not run: only {len(cores)} cores may be used")
        return
    path = part.workshop.network(network)
    target = part.workshop.target(TARGET, threads)
    tuned, reason = part.tuned(path, target)
    entrants, refused = _entrants(part, path, target, tuned, threads, cores)
    if part.prepare_only:
        return
    rows = contest(path, read_signature(path), entrants, threads=threads, cores=cores, turns=turns, say=part.say)
    figures = {
        "network": network.name,
        "title": network.title,
        "kind": network.kind,
        "threads": threads,
        "tuning": None if tuned is None else tuned.summary,
        "entrants": [*(row.as_dict() for row in rows), *refused, *_untuned(path, tuned, reason)],
    }
    found = {row.engine: row for row in rows}
    figures |= {"ratios": ratios(found), "ratio_of_fastest": ratio_of_fastest(found)}
    part.put(name, code, settings, figures, verdicts(network, found))


def _entrants(
    part: Part, path: Path, target: str, tuned: Tuned | None, threads: int, cores: Sequence[int]
) -> tuple[list[Entrant], list[dict[str, Any]]]:
    entrants = [Entrant(UNTUNED, "edgeprune", part.workshop.artifact(path, target, threads))]
    refused = []
    if tuned is not None:
        try:
            entrants.append(Entrant(TUNED, "edgeprune", part.workshop.artifact(path, target, threads, tuned)))
        except Refused as refusal:
            part.say(f"{path.name}: {TUNED}: not run: {refusal}")
            refused.append(Row(path.stem, TUNED, "not run", reason=str(refusal)).as_dict())
    for engine in part.engines:
        try:
            entrants.append(Entrant(engine, engine, part.workshop.converted(path, engine, threads, cores)))
        except Refused as refusal:
            part.say(f"{path.name}: {engine}: not run: {refusal}")
            refused.append(Row(path.stem, engine, "not run", reason=str(refusal)).as_dict())
    return entrants, refused


def _untuned(path: Path, tuned: Tuned | None, reason: str) -> list[dict[str, Any]]:
    return [] if tuned is not None else [Row(path.stem, TUNED, "not run", reason=reason).as_dict()]


def fastest_peer(rows: Mapping[str, Row]) -> str | None:
    """Return the other engine with the lowest median, ``None`` if none ran."""
    times = {name: row.p50_us for name, row in rows.items() if name not in OURS and row.p50_us is not None}
    return min(times, key=times.__getitem__, default=None)


def ratios(rows: Mapping[str, Row]) -> dict[str, dict[str, Any]]:
    """Return our times over each other engine's, with intervals."""
    timed = {name: row.round_p50_us for name, row in rows.items() if row.round_p50_us}
    return {
        ours: {name: asdict(ratio_of_rounds(timed[ours], times)) for name, times in timed.items() if name not in OURS}
        for ours in OURS
        if ours in timed
    }


def ratio_of_fastest(rows: Mapping[str, Row]) -> dict[str, float]:
    """Return each of ours over the fastest other engine by the shortest inference of all rounds.

    Other load only ever adds to a time: on a machine that is not idle this says more than medians, whose intervals
    then are wide.
    """
    shortest = {name: min(row.round_min_us) for name, row in rows.items() if row.round_min_us}
    others = [time for name, time in shortest.items() if name not in OURS]
    return {name: shortest[name] / min(others) for name in OURS if name in shortest and others}


def verdicts(network: Network, rows: Mapping[str, Row]) -> list[Verdict]:
    """Return whether the goals are met: tuned against the best of the others, untuned against ONNX Runtime."""
    best, limit = fastest_peer(rows), best_peer_limit(network.kind)
    return [
        _verdict(f"tuned over the fastest other engine ({best})", limit, rows, TUNED, best),
        _verdict("untuned over ONNX Runtime", UNTUNED_OVER_ONNX_RUNTIME, rows, UNTUNED, REFERENCE),
    ]


def _verdict(goal: str, limit: float, rows: Mapping[str, Row], ours: str, theirs: str | None) -> Verdict:
    if theirs is None:
        return not_measured(goal, "<=", limit, "no other engine ran")
    if ours not in rows:
        return not_measured(goal, "<=", limit, f"there is no {ours}")
    pair = (rows[ours], rows[theirs])
    for row in pair:
        if not row.round_p50_us:
            return not_measured(goal, "<=", limit, f"{row.engine}: {row.reason}")
    ratio = ratio_of_rounds(pair[0].round_p50_us, pair[1].round_p50_us)
    return at_most(goal, limit, ratio.value, (ratio.low, ratio.high))
