"""Part "emulated": instructions counted and cycles estimated on ARM cores, ours and the other engines'.

Nothing is timed. Cycles come from the models of docs/cycle-model.md; ours are tuned by the same models.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from peers.contest import Entrant
from peers.emulated import BOARDS, EmulatedRow, count_engines
from peers.engine import read_signature

from tuning_bench.convolutions import Convolution, write_chain
from tuning_bench.goals import FMLA_SHARE, Verdict, at_least, at_most, never, not_measured
from tuning_bench.host import OURS, TUNED, UNTUNED
from tuning_bench.networks import Network, network
from tuning_bench.part import Part
from tuning_bench.provenance import code_hash, engine_hash, model_hash
from tuning_bench.workshop import Budget

CORES = ("cortex-a53", "cortex-a7")
NETWORKS = ("resnet20", "resnet20-odd", "mobilenet-v1-0.25")
PEERS = ("onnxruntime", "mnn", "ncnn", "litert")
RIVALS = ("mnn", "ncnn")
"""Whose cycles ours have to stay below."""

KERNELS = (
    Convolution("3x3, 16 channels on 32x32", 16, 16, 32),
    Convolution("3x3, 32 channels on 16x16", 32, 32, 16),
    Convolution("3x3, 64 channels on 8x8", 64, 64, 8),
    Convolution("3x3, 13 to 11 channels on 32x32", 13, 11, 32),
    Convolution("1x1, 64 to 128 channels on 6x6", 64, 128, 6, kernel=1),
    Convolution("1x1, 128 to 128 channels on 6x6", 128, 128, 6, kernel=1),
    Convolution("3x3 depthwise, 64 channels on 12x12", 64, 64, 12, depthwise=True),
)
"""The kernels that take most of the time in ResNet-20 and MobileNetV1-0.25, each with its bias and rectifier.

One that changes the number of channels is counted together with the one that leads back.
"""

_KERNEL_TRIALS = 32


def run(part: Part) -> None:
    """Make a row for the other engines, one for ours per network and core, and one for the kernels of every core."""
    for core in CORES:
        for name in NETWORKS:
            if name in {wanted.name for wanted in part.networks}:
                peers = _peers(part, network(name), core)
                _ours(part, network(name), core, peers)
        _kernels(part, core)


def _peers(part: Part, network: Network, core: str) -> dict[str, dict[str, Any]]:
    """Their counts depend on no code of ours beyond the plugin's, so that they are made once, a row each."""
    found = {}
    for engine in PEERS:
        name, code = f"{network.name} on {core}: {engine}", f"{model_hash(core)}-{engine_hash(engine)}"
        if part.missing(name, code, {}):
            path = part.workshop.network(network)
            rows = count_engines(path, read_signature(path), [Entrant(engine)], cpu=core, say=part.say)
            part.put(name, code, {}, {"network": network.name, "core": core, "entrants": [rows[0].as_dict()]})
        row = next(row for row in part.results.of(part.name) if row.name == name)
        found[engine] = row.figures["entrants"][0]
    return found


def _ours(part: Part, network: Network, core: str, peers: Mapping[str, dict[str, Any]]) -> None:
    name, code, settings = f"{network.name} on {core}", f"{code_hash()}-{model_hash(core)}", asdict(part.budget)
    if not part.missing(name, code, settings):
        return
    path, target = part.workshop.network(network), BOARDS[core]
    entrants = [Entrant(UNTUNED, "edgeprune", part.workshop.artifact(path, target))]
    tuned, reason = part.tuned(path, target, emulated=True)
    if tuned is not None:
        entrants.append(Entrant(TUNED, "edgeprune", part.workshop.artifact(path, target, 1, tuned)))
    rows = count_engines(path, read_signature(path), entrants, cpu=core, say=part.say)
    if tuned is None:
        rows.append(EmulatedRow(path.stem, TUNED, "not run", reason=reason))
    found = {row.engine: row.as_dict() for row in rows}
    figures = {"network": network.name, "core": core, "entrants": list(found.values())}
    figures["tuning"] = None if tuned is None else tuned.summary
    part.put(name, code, settings, figures, [verdict(core, found, peers)])


def verdict(core: str, ours: Mapping[str, dict[str, Any]], peers: Mapping[str, dict[str, Any]]) -> Verdict:
    """Return whether our best cycles are below those of every rival that runs on this core."""
    goal = f"cycles over the best of MNN and ncnn on {core}"
    mine = _cycles(ours, OURS)
    theirs = _cycles(peers, RIVALS)
    if not theirs or not mine:
        reasons = [f"{name}: {entrant['reason']}" for name, entrant in {**ours, **peers}.items() if entrant["reason"]]
        return not_measured(goal, "<=", 1.0, "; ".join(reasons))
    best = min(theirs, key=theirs.__getitem__)
    own = TUNED if TUNED in mine else UNTUNED
    return at_most(f"{own}: {goal} ({best})", 1.0, mine[own] / theirs[best])


def _cycles(entrants: Mapping[str, dict[str, Any]], names: Sequence[str]) -> dict[str, int]:
    found = {name: entrants[name].get("cycles") for name in names if name in entrants}
    return {name: cycles["value"] for name, cycles in found.items() if cycles is not None}


def _kernels(part: Part, core: str) -> None:
    name, code = f"kernels on {core}", f"{code_hash()}-{model_hash(core)}"
    trials = min(_KERNEL_TRIALS, part.budget.trials)
    settings = {"trials": trials}
    if not part.missing(name, code, settings):
        return
    budget = Budget(trials, part.budget.seconds)
    shares = [_kernel(part, core, convolution, budget) for convolution in KERNELS]
    part.put(name, code, settings, {"core": core, "kernels": shares}, [share_verdict(core, share) for share in shares])


def share_verdict(core: str, share: Mapping[str, Any]) -> Verdict:
    """Return whether multiply-accumulates are enough of a kernel's instructions; one that does not run misses that."""
    goal = f"fmla share, {share['kernel']} on {core}"
    if share["share"] is None:
        return never(goal, ">=", FMLA_SHARE, share["reason"])
    return at_least(goal, FMLA_SHARE, share["share"])


def _kernel(part: Part, core: str, convolution: Convolution, budget: Budget) -> dict[str, Any]:
    """Count a chain of the kernel once and twice: the difference is the kernel without what surrounds it."""
    rows = []
    for times in (1, 2):
        chain = convolution.there_and_back * times
        path = part.workshop.model(
            f"{convolution.stem}-chain{times}", lambda path, chain=chain: write_chain(chain, path)
        )
        tuned, _ = part.tuned(path, BOARDS[core], budget, emulated=True)
        artifact = part.workshop.artifact(path, BOARDS[core], 1, tuned)
        entrant = Entrant(TUNED if tuned else UNTUNED, "edgeprune", artifact)
        rows += count_engines(path, read_signature(path), [entrant], cpu=core, say=part.say)
    return {"kernel": convolution.name, "schedules": rows[0].version, **share_between(*rows, convolution)}


def _counts(row: EmulatedRow) -> tuple[int, int, int] | None:
    if row.instructions is None or row.mix is None or row.cycles is None:
        return None
    return row.instructions, row.mix["mac"], int(row.cycles["value"])


def share_between(once: EmulatedRow, twice: EmulatedRow, convolution: Convolution) -> dict[str, Any]:
    """Return the counts of one turn of a chain, by which ``twice`` is longer than ``once``."""
    counted = [_counts(once), _counts(twice)]
    if counted[0] is None or counted[1] is None:
        return {"share": None, "reason": once.reason or twice.reason}
    instructions, macs, cycles = (more - less for less, more in zip(*counted, strict=True))
    multiply_adds = sum(link.multiply_adds for link in convolution.there_and_back)
    return {
        "share": macs / instructions,
        "instructions": instructions,
        "mac_instructions": macs,
        "cycles": cycles,
        "multiply_adds_per_cycle": multiply_adds / cycles,
    }
