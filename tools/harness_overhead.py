"""What the benchmark executable's timing loop costs on a network of 50 us: a ratio against a bare loop.

    python tools/harness_overhead.py

The loop of the shipped sources is linked with an artificial network and run in turns with a bare loop around the same
network. A turn is a millisecond; other programs only ever make one longer, so that the quickest tenth of each side is
compared.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import tempfile
from pathlib import Path

from edgeprune.measuring import BENCH_INCLUDE, BENCH_SOURCES
from edgeprune.target import find_target
from edgeprune.toolchain import ZigToolchain

_SOURCE = Path(__file__).with_name("harness_overhead") / "overhead.c"


def measure_overhead(rounds: int) -> dict[str, float]:
    """Return nanoseconds per inference of both loops (first deciles), and what the harness adds as a share."""
    with tempfile.TemporaryDirectory(prefix="edgeprune-") as scratch:
        program = _link(Path(scratch))
        lines = subprocess.run([program, str(rounds)], capture_output=True, text=True, check=True).stdout.splitlines()
    turns = [tuple(float(word) for word in line.split()[1:]) for line in lines]
    bare, harness = (statistics.quantiles(side, n=10)[0] for side in zip(*turns, strict=True))
    return {"rounds": len(turns), "bare_ns": bare, "harness_ns": harness, "overhead": harness / bare - 1}


def _link(directory: Path) -> Path:
    toolchain = ZigToolchain.for_target(find_target("host"))
    shipped = [source for source in BENCH_SOURCES if source.name != "bench_main.c"]
    flags = ["-O2", "-std=c99", "-ffunction-sections", "-I", str(BENCH_INCLUDE)]
    toolchain.compile_together([_SOURCE, *shipped], directory / "overhead.o", flags)
    toolchain.link_executable([directory / "overhead.o"], directory / "overhead", ["-O2", "-Wl,--gc-sections"])
    return directory / "overhead"


def main() -> None:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description="Overhead of the timing loop on a network of 50 us.")
    parser.add_argument("--rounds", type=int, default=1000, help="turns of 20 inferences each [1000]")
    print(json.dumps(measure_overhead(parser.parse_args().rounds), indent=2))


if __name__ == "__main__":
    main()
