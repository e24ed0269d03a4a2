"""How long counting one inference of ResNet-20 takes, with the cycles of the emulated board's core.

    python tools/emulation_speed.py [--network NAME] [--target TARGET] [--limit SECONDS]

Builds the network with default schedules, then runs `edgeprune measure` on it as a user would, each time a process of
its own. Prints seconds by the clock and of processor time as JSON, beside what the emulator takes for the same
executable without counting anything; ends with 1 where the quickest run took longer than `--limit` by the clock.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import write_reference_networks

from edgeprune.emulation import Unavailable, find_qemu
from edgeprune.target import find_target


def main(arguments: Sequence[str] | None = None) -> int:
    """Build, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", default="resnet20", choices=tuple(write_reference_networks.NETWORKS))
    parser.add_argument("--target", default="rpi3", help="an emulated board [rpi3]")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--limit", type=float, default=5.0, help="seconds by the clock [5]")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="edgeprune-") as scratch:
        artifact = _build(given.network, given.target, Path(scratch))
        runs = [_measure(artifact, given.target) for _ in range(given.runs)]
        emulator = min(_emulator_alone(artifact, given.target) for _ in range(given.runs))
    quickest = min(run["wall_seconds"] for run in runs)
    found = {"network": given.network, "target": given.target, "runs": runs}
    found |= {"quickest_wall_seconds": quickest, "emulator_alone_processor_seconds": round(emulator, 2)}
    print(json.dumps(found, indent=2))
    return int(quickest > given.limit)


def _build(network: str, target: str, scratch: Path) -> Path:
    names = [str(scratch), network]
    made = [sys.executable, write_reference_networks.__file__, *names]
    subprocess.run(made, check=True, stdout=subprocess.DEVNULL)
    artifact = scratch / "artifact"
    build = ["build", str(scratch / f"{network}.onnx"), "--target", target, "--out", str(artifact)]
    subprocess.run([sys.executable, "-m", "edgeprune", *build], check=True, stdout=subprocess.DEVNULL)
    return artifact


def _measure(artifact: Path, target: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "edgeprune", "measure", str(artifact), "--target", target, "--json"]
    before, started = _children_seconds(), time.monotonic()
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    wall, processor = time.monotonic() - started, _children_seconds() - before
    shown = json.loads(done.stdout)
    if shown["instructions"] is None or shown["cycles_estimated"] is None:
        raise SystemExit(f"{target}: nothing was counted there, or there is no model of its core; see edgeprune doctor")
    return {
        "wall_seconds": round(wall, 2),
        "processor_seconds": round(processor, 2),
        "instructions": shown["instructions"]["region"],
        "cycles_estimated": shown["cycles_estimated"]["value"],
    }


def _emulator_alone(artifact: Path, target_name: str) -> float:
    """Return the processor seconds of the same work, the golden check and one inference, without the plugin."""
    emulated = find_target(target_name).emulator
    qemu = find_qemu(emulated.program) if emulated is not None else None
    if emulated is None or qemu is None or isinstance(qemu, Unavailable):
        raise SystemExit(f"{target_name}: its emulator is not here; see edgeprune doctor")
    program = [str(next(artifact.glob("*-bench"))), "--warmup", "0", "--region"]
    before = _children_seconds()
    command = qemu.command(program, cpu=emulated.cpu)
    subprocess.run(command, env=qemu.environment(), check=True, stdout=subprocess.DEVNULL)
    return _children_seconds() - before


def _children_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    sys.exit(main())
