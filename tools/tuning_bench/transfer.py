"""Part "transfer": trials until a kernel is fast, with the records of a kernel of a near shape and without."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from peers.engine import Refused

from tuning_bench.convolutions import Convolution
from tuning_bench.part import Part
from tuning_bench.provenance import code_hash
from tuning_bench.race import TARGET, Race
from tuning_bench.replay import Timed, first_at_most
from tuning_bench.watch import RECORDS, watch
from tuning_bench.workshop import private_cache

# Two of MobileNetV1-0.25's on 96x96: 1x1, so that neither is computed by Winograd's method.
NEAR, WANTED = Convolution("near", 64, 128, 6, kernel=1), Convolution("wanted", 128, 128, 6, kernel=1)
_TRIALS, _QUICK_TRIALS = 48, 12
_SEEDS, _QUICK_SEEDS = (0, 1), (0,)
_LONGEST_S = 120.0
_SPEED = 0.95


def run(part: Part) -> None:
    """Make the row."""
    if part.prepare_only:
        return
    trials, seeds = (_QUICK_TRIALS, _QUICK_SEEDS) if part.quick else (_TRIALS, _SEEDS)
    name, code, settings = f"{WANTED.stem} after {NEAR.stem}", code_hash(), {"trials": trials, "seeds": len(seeds)}
    if not part.missing(name, code, settings):
        return
    place = part.workshop.directory / "transfer"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    searches: dict[str, list[Timed]] = {"without": [], "with": []}
    for seed in seeds:
        searches["without"].append(_search(place, f"without-{seed}", [WANTED], trials, seed))
        searches["with"].append(_search(place, f"with-{seed}", [NEAR, WANTED], trials, seed))
        part.say(f"transfer: seed {seed} done")
    part.put(name, code, settings, figures_of(searches))


def figures_of(searches: Mapping[str, Sequence[Timed]]) -> dict[str, Any]:
    """Return after how many trials each search was within 95 % of the fastest schedule that any of them found."""
    found = [seconds for side in searches.values() for search in side for seconds in search if seconds is not None]
    wanted = min(found) / _SPEED
    figures: dict[str, Any] = {"microseconds": wanted * 1e6}
    for side, several in searches.items():
        best = [min(seconds for seconds in search if seconds is not None) for search in several]
        figures[side] = {
            "trials": [first_at_most(search, wanted) for search in several],
            "best_microseconds": [seconds * 1e6 for seconds in best],
        }
    return figures


def _search(place: Path, name: str, kernels: Sequence[Convolution], trials: int, seed: int) -> Timed:
    """Tune ``kernels`` one after the other in a database of their own; return the trials of the last."""
    own = place / name
    own.mkdir()
    cache = private_cache(own / "cache")
    for kernel in kernels:
        network, out = own / f"{kernel.stem}.onnx", own / kernel.stem
        kernel.write(network)
        budget = ["--trials", str(trials), "--seconds", f"{_LONGEST_S:g}", "--seed", str(seed), "--no-choices"]
        command = Race.command("tune", str(network), "--target", TARGET, *budget, "--out", str(out))
        seen = watch(command, Race.environment() | {"EDGEPRUNE_CACHE": str(cache)}, cache / "tuning", own / "log")
        if seen.code != 0:
            raise Refused(f"edgeprune tune {network.name}: {seen.last_words}")
    found = json.loads((out / "tuning.json").read_text(encoding="utf-8"))["kernels"]
    [workload] = [kernel["workload"] for kernel in found if "conv2d" in kernel["name"]]
    return _trials(cache / "tuning", workload)


def _trials(database: Path, workload: str) -> Timed:
    [records] = database.rglob(RECORDS)
    lines = (records.parent / "database_workload.json").read_text(encoding="utf-8").splitlines()
    number = [json.loads(line)[0] for line in lines].index(workload)
    documents = [json.loads(line) for line in records.read_text(encoding="utf-8").splitlines()]
    return [_seconds(record) for index, record in documents if index == number]


def _seconds(record: Sequence[Any]) -> float | None:
    seconds = [float(value) for value in record[1] or ()]
    return sum(seconds) / len(seconds) if seconds and max(seconds) < 1e10 else None
