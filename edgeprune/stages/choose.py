"""Choose: the whole artifact with and without each doubtful choice, timed in turns; the surely faster one is built."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tvm.s_tir.meta_schedule.utils import shash2hex

from edgeprune.cache import cache_directory
from edgeprune.emulation import Unavailable
from edgeprune.errors import EdgepruneError
from edgeprune.lowering import Lowered
from edgeprune.lowering import lower as lower_onnx
from edgeprune.pipeline.content_hash import hash_json, hash_own_code, hash_tree
from edgeprune.progress import Progress
from edgeprune.scratch import scratch_directory
from edgeprune.stages.choice_turns import Entrant, FailedEntrants, take_turns
from edgeprune.target import Target
from edgeprune.tuning.choice import BASELINE, TUNED, Choice, choices_for
from edgeprune.tuning.choice_log import ChoiceLog, Compared
from edgeprune.tuning.database import Database
from edgeprune.tuning.decision import Row, decide
from edgeprune.tuning.descriptor import describe
from edgeprune.tuning.kernels import extract_kernels
from edgeprune.tuning.snapshot import snapshot

RECORDS = "records"
# What decides how fast an artifact is, beside its network, its device and the records.
_CODE = ("lowering", "artifact", "measuring/executable", "tuning/choice", "tuning/decision", "stages/choice_turns")


def network_key(onnx_sha256: str, target: Target) -> str:
    """Return what the comparison of a network on a device is found by in the device's `ChoiceLog`."""
    facts = {"onnx": onnx_sha256, "cpu": target.cpu.model_dump(mode="json"), "code": hash_own_code(*_CODE)}
    return hash_json(facts)[:24]


def choose(network: Path, lowered_in: Path, target: Target, out: Path, progress: Progress) -> Compared | Unavailable:
    """Return how ``network`` is to be built for ``target``, and leave the records for that in ``out/records``.

    ``lowered_in`` is the network as the target's own keys have it lowered, and its records lie in ``out/records``.
    What the user's tuning database holds of an earlier comparison is not measured again: whole where the records are
    the same, else by rounds. `Unavailable` where the board cannot be measured from here.

    Raises:
        StageFailure, ParityError: the artifact with default schedules cannot be built or run.
    """
    descriptor = describe(target)
    directory = descriptor.directory(cache_directory("tuning"))
    log, records = ChoiceLog(directory), Database(directory, descriptor)
    lowered = Lowered.load(lowered_in)
    known = log.compared(network_key(lowered.onnx_sha256, target))
    if known is None or known.records != {workload: _standing(records, workload) for workload in known.records}:
        with scratch_directory("choices") as scratch:
            contest = _Contest(network, lowered, target, out / RECORDS, scratch, log, records, progress)
            outcome = _compare(contest)
        if isinstance(outcome, Unavailable):
            return outcome
        known = outcome
    else:
        progress.note(f"ways to build were compared before on {target.name}; kept: {known.kept.name}")
    if known.kept.relowers(target):
        chosen = known.kept.applied(target)
        snapshot(cache_directory("tuning"), lower_onnx(network, chosen), chosen, out / RECORDS)
    return known


@dataclass(frozen=True)
class _Contest:
    """What one comparison works with."""

    network: Path
    lowered: Lowered
    target: Target
    tuned: Path
    scratch: Path
    log: ChoiceLog
    records: Database
    progress: Progress


def _compare(contest: _Contest) -> Compared | Unavailable:
    progress, target = contest.progress, contest.target
    entrants, workloads = _entrants(contest)
    standing = {workload: _standing(contest.records, workload) for workload in sorted(workloads)}
    key = network_key(contest.lowered.onnx_sha256, target)
    taken = take_turns(contest.network, entrants, target, contest.log, hash_json([key, standing])[:24], progress)
    if isinstance(taken, Unavailable):
        progress.note(f"the ways to build are not compared on {target.name}: {taken.reason}")
        return taken
    kept, rows = decide([entrant.choice.name for entrant in entrants], taken.times, taken.provenance)
    compared = Compared(
        network=key,
        name=contest.network.stem,
        records=standing,
        kept=next(entrant.choice for entrant in entrants if entrant.choice.name == kept),
        provenance=taken.provenance,
        unit=taken.unit,
        rows=rows + _failed(taken.failed),
    )
    contest.log.add(compared)
    return compared


def _failed(failed: FailedEntrants) -> tuple[Row, ...]:
    return tuple(Row(name, None, None, None, 0, reason) for name, reason in failed.items())


def _entrants(contest: _Contest) -> tuple[list[Entrant], set[str]]:
    """Return the choices that make a difference to this network, and the workloads of all their kernels."""
    choices = choices_for(contest.target, contest.lowered)
    contest.progress.stage(f"lower {len(choices)} ways to build for {contest.target.name}", len(choices))
    entrants: list[Entrant] = []
    seen: set[str] = set()
    workloads: set[str] = set()
    for number, choice in enumerate(choices):
        contest.progress.advance(choice.name)
        entrant, found = _entrant(contest, choice, contest.scratch / f"choice{number}")
        if (content := _content(entrant)) not in seen:
            seen.add(content)
            entrants.append(entrant)
            workloads.update(found)
    return entrants, workloads


def _entrant(contest: _Contest, choice: Choice, place: Path) -> tuple[Entrant, Iterable[str]]:
    place.mkdir()
    target = choice.applied(contest.target)
    lowered = contest.lowered
    if choice.relowers(contest.target):
        try:
            lowered = lower_onnx(contest.network, target)
        except EdgepruneError as error:
            return Entrant(choice, target, None, None, place, str(error)), ()
        snapshot(cache_directory("tuning"), lowered, target, place / RECORDS)
    workloads = [kernel.workload for kernel in extract_kernels(lowered, target)]
    records = None
    if choice.name != BASELINE:
        records = contest.tuned if choice.name == TUNED else place / RECORDS
    return Entrant(choice, target, lowered, records, place), workloads


def _content(entrant: Entrant) -> str:
    """Return a key that is equal for choices that come to the same artifact."""
    if entrant.lowered is None:
        return entrant.choice.name
    module = str(shash2hex(entrant.lowered.module))
    return hash_json([module, _used(entrant.records)])


def _used(records: Path | None) -> list[tuple[str, str]]:
    """Return the content of a snapshot; the files of an empty one stand for no records at all."""
    if records is None:
        return []
    found = hash_tree(records)
    empty = not any(path.stat().st_size for path in records.glob("*record*.json"))
    return [] if empty else sorted(found.items())


def _standing(records: Database, workload: str) -> str:
    """Return what the database says of a kernel now, as a digest: another best record makes another artifact."""
    best, baseline = records.best(workload, 1), records.baseline(workload)
    if not best and baseline is None:
        return ""
    return hash_json([[trial.record for trial in best], None if baseline is None else vars(baseline)])[:16]
