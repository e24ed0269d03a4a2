"""edgeprune's artifact beside other inference engines, on the same networks in one run.

    python tools/compare_peers.py MODEL.onnx ... --json peers.json [--threads N] [--engines NAME,...] [--quick]

Engines: edgeprune, onnxruntime, openvino, mnn, ncnn, litert. Each runs in a process of its own, with equal threads on
the same cores, float32 throughout, batch 1. Outputs are held against ONNX Runtime's before anything is timed, and the
engines take turns. One that cannot take a network, gives other outputs or is not installed is listed with the reason.
`pip install 'edgeprune[peers]'` brings openvino, MNN, ncnn with pnnx, and ai-edge-litert; LiteRT's converter, onnx2tf,
needs an environment of its own (see tools/peers/litert_engine.py).

Every engine is called through its Python binding, whose few microseconds are part of the time.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from peers.contest import REFERENCE, TOLERANCE, Row, Turns, contest
from peers.engine import ENGINES, Refused, read_signature

FORMAT = 1
STANDARD = Turns(rounds=15, seconds=0.1, most=1000)
QUICK = Turns(rounds=5, seconds=0.02, most=100)


def main() -> int:
    """Compare, show a table, write the JSON; 0 when every network was measured on at least two engines."""
    options = _options()
    engines = list(dict.fromkeys([REFERENCE, *options.engines.split(",")]))
    unknown = [name for name in engines if name not in ENGINES]
    if unknown:
        sys.exit(f"--engines: {unknown[0]} is not known; choose among {', '.join(ENGINES)}")
    cores = sorted(os.sched_getaffinity(0))[: options.threads]
    if len(cores) < options.threads:
        sys.exit(f"--threads: {options.threads} threads on {len(cores)} usable cores would only wait for each other")
    turns = QUICK if options.quick else STANDARD
    rows: list[Row] = []
    for network in options.networks:
        try:
            signature = read_signature(network)
            rows += contest(network, signature, engines, threads=options.threads, cores=cores, turns=turns, say=_say)
        except (Refused, OSError) as refusal:
            sys.exit(f"{network}: {refusal}")
    _write(options.json, _document(rows, options.threads, turns))
    print(_table(rows))
    measured = {row.network: 0 for row in rows}
    for row in rows:
        measured[row.network] += row.provenance == "measured"
    return 0 if all(count >= 2 for count in measured.values()) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("networks", nargs="+", type=Path, metavar="MODEL.onnx", help="float32, fixed shapes, batch 1")
    parser.add_argument("--json", type=Path, required=True, help="write every figure here")
    parser.add_argument("--threads", type=int, default=1, help="threads of every engine [1]")
    parser.add_argument("--engines", default=",".join(ENGINES), help="engines beside onnxruntime [all]")
    parser.add_argument("--quick", action="store_true", help="few rounds: to see that all engines run")
    return parser.parse_args()


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _document(rows: Sequence[Row], threads: int, turns: Turns) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "machine": _cpu(),
        "threads": threads,
        "precision": "float32",
        "reference": REFERENCE,
        "tolerance": TOLERANCE,
        "rounds": turns.rounds,
        "rows": [row.as_dict() for row in rows],
    }


def _cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").is_file() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _write(path: Path, document: dict[str, Any]) -> None:
    partial = path.with_name(path.name + ".partial")
    partial.write_text(json.dumps(document, indent=2) + "\n")
    partial.replace(path)


def _table(rows: Sequence[Row]) -> str:
    lines = [f"{'network':<20} {'engine':<12} {'p50, us (measured)':>24} {'times the fastest':>24}  error or reason"]
    for row in rows:
        if row.p50_us is None or row.p50_interval_us is None or row.ratio is None or row.ratio_interval is None:
            lines.append(f"{row.network:<20} {row.engine:<12} {'-':>24} {'-':>24}  not run: {row.reason}")
            continue
        time = f"{row.p50_us:.4g} [{row.p50_interval_us.low:.4g}, {row.p50_interval_us.high:.4g}]"
        ratio = f"{row.ratio:.2f} [{row.ratio_interval.low:.2f}, {row.ratio_interval.high:.2f}]"
        lines.append(f"{row.network:<20} {row.engine:<12} {time:>24} {ratio:>24}  {row.relative_error:.1e}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
