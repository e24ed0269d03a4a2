"""How much faster the reference networks are on several threads of this machine: ratios, all of one run.

    python tools/bench_threads.py --json threads.json [--threads 2] [--networks resnet20 mobilenet-v2]

Each round runs the same executable on one thread and on all in turn, so that whatever else the machine does meets both
alike; the speed-up is the median over the rounds of the ratio of their shortest inferences. The last column says what
there was to win: how much work two copies of the one-thread run get done at once, against one alone. Default
schedules, seeded weights.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from reference_networks import REFERENCES, Reference, build

from edgeprune.artifact import build_artifact
from edgeprune.exporting import export_onnx
from edgeprune.lowering import lower, read_program, schedule
from edgeprune.onnx_reference import made_records
from edgeprune.stages.golden import TOLERANCE
from edgeprune.target import find_target

MODEL = "model"
NETWORKS = ("resnet20", "mobilenet-v2")
_SAMPLES = 40


@dataclass(frozen=True)
class Row:
    """One network: medians over the rounds of the shortest inference in microseconds, and of the rounds' ratios."""

    network: str
    threads: int
    one_thread_us: float
    threads_us: float
    speed_up: float
    two_copies: float
    arena_bytes: dict[int, int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Build, run and print a row per network."""
    options = _options(arguments)
    rows = []
    with tempfile.TemporaryDirectory(prefix="edgeprune-threads-") as scratch:
        for reference in REFERENCES:
            if reference.name in options.networks:
                rows.append(_row(reference, options.threads, options.rounds, Path(scratch)))
                print(_in_words(rows[-1]), flush=True)
    options.json.write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n", encoding="utf-8")
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, required=True, help="where the rows go")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=9)
    names = [reference.name for reference in REFERENCES]
    parser.add_argument("--networks", nargs="+", choices=names, default=NETWORKS)
    return parser.parse_args(arguments)


def _row(reference: Reference, threads: int, rounds: int, scratch: Path) -> Row:
    path = scratch / f"{reference.name}.onnx"
    export_onnx(build(reference), torch.zeros(1, *reference.input_shape), path)
    arenas = {count: _build(path, count, scratch / f"{reference.name}-{count}") for count in (1, threads)}
    program = scratch / f"{reference.name}-{threads}" / f"{MODEL}-bench"
    alone, shared, ratios, copies = [], [], [], []
    for _ in range(rounds):
        alone.append(_shortest(_start(program, 1)))
        shared.append(_shortest(_start(program, threads)))
        ratios.append(alone[-1] / shared[-1])
        both = [_start(program, 1), _start(program, 1)]
        copies.append(sum(alone[-1] / _shortest(copy) for copy in both))
    return Row(
        network=reference.name,
        threads=threads,
        one_thread_us=round(statistics.median(alone), 1),
        threads_us=round(statistics.median(shared), 1),
        speed_up=round(statistics.median(ratios), 2),
        two_copies=round(statistics.median(copies), 2),
        arena_bytes=arenas,
    )


def _build(path: Path, threads: int, out: Path) -> int:
    target = find_target("host").model_copy(update={"threads": threads})
    golden = made_records(path)
    manifest = build_artifact(
        read_program(schedule(lower(path, target), target)),
        target,
        out,
        model=MODEL,
        variant="onnx",
        golden_inputs=golden[0],
        golden_outputs=golden[1],
        tolerance=TOLERANCE,
    )
    return manifest.arena_bytes


def _start(program: Path, threads: int) -> subprocess.Popen[str]:
    command = [str(program), "--warmup", "5", "--samples", str(_SAMPLES), "--threads", str(threads)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def _shortest(running: subprocess.Popen[str]) -> float:
    output, _ = running.communicate()
    if running.returncode != 0:
        raise SystemExit(f"{running.args}: exit code {running.returncode}")
    return min(json.loads(output)["samples_ns"]) / 1000


def _in_words(row: Row) -> str:
    return (
        f"{row.network}: {row.one_thread_us} us on one thread, {row.threads_us} us on {row.threads}: "
        f"{row.speed_up} times as fast; two copies at once do {row.two_copies} times the work of one"
    )


if __name__ == "__main__":
    raise SystemExit(main())
