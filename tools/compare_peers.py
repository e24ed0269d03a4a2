"""edgeprune's artifact beside other inference engines, on the same networks in one run.

    python tools/compare_peers.py MODEL.onnx ... --json peers.json [--threads N] [--engines NAME,...] [--quick]
    python tools/compare_peers.py MODEL.onnx ... --json peers.json --emulated cortex-a53 [--engines NAME,...]

Engines: edgeprune, onnxruntime, openvino, mnn, ncnn, litert. Each runs in a process of its own, with equal threads on
the same cores, float32 throughout, batch 1. Outputs are held against ONNX Runtime's before anything is timed, and the
engines take turns. One that cannot take a network, gives other outputs or is not installed is listed with the reason.
`pip install 'edgeprune[peers]'` brings openvino, MNN, ncnn with pnnx, and ai-edge-litert; LiteRT's converter, onnx2tf,
needs an environment of its own (see tools/peers/litert_engine.py).

Every engine is called through its Python binding, whose few microseconds are part of the time.

With --emulated the wheels for 64-bit ARM of onnxruntime, MNN and ncnn run under QEMU on a Debian 12 that is fetched
once (240 MB, no root), and edgeprune's executable for the same core: one inference after a first one, its instructions
counted exactly and its cycles estimated by docs/cycle-model.md. No time is measured.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from peers.contest import REFERENCE, TOLERANCE, Entrant, Row, Turns, contest
from peers.engine import ENGINES, Refused, read_signature

if TYPE_CHECKING:
    from peers.emulated import EmulatedRow

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
    return _emulate(options, engines) if options.emulated else _measure(options, engines)


def _measure(options: argparse.Namespace, engines: Sequence[str]) -> int:
    cores = sorted(os.sched_getaffinity(0))[: options.threads]
    if len(cores) < options.threads:
        sys.exit(f"--threads: {options.threads} threads on {len(cores)} usable cores would only wait for each other")
    turns = QUICK if options.quick else STANDARD
    rows: list[Row] = []
    for network in options.networks:
        try:
            signature = read_signature(network)
            entrants = [Entrant(name) for name in engines]
            rows += contest(network, signature, entrants, threads=options.threads, cores=cores, turns=turns, say=_say)
        except (Refused, OSError) as refusal:
            sys.exit(f"{network}: {refusal}")
    _write(options.json, _document(rows, options.threads, turns))
    print(_table(rows))
    measured = {row.network: 0 for row in rows}
    for row in rows:
        measured[row.network] += row.provenance == "measured"
    return 0 if all(count >= 2 for count in measured.values()) else 1


def _emulate(options: argparse.Namespace, engines: Sequence[str]) -> int:
    from peers.emulated import BOARDS, count_engines

    if options.threads != 1 or options.quick:
        sys.exit("--threads and --quick do nothing with --emulated, which counts one inference on one thread")
    rows: list[EmulatedRow] = []
    for network in options.networks:
        try:
            entrants = [Entrant(name) for name in engines]
            rows += count_engines(network, read_signature(network), entrants, cpu=options.emulated, say=_say)
        except (Refused, OSError) as refusal:
            sys.exit(f"{network}: {refusal}")
    document = {"format": FORMAT, "emulated_cpu": options.emulated, "board": BOARDS[options.emulated], "threads": 1}
    document |= {"precision": "float32", "reference": REFERENCE, "tolerance": TOLERANCE}
    _write(options.json, document | {"rows": [row.as_dict() for row in rows]})
    print(_emulated_table(rows))
    counted = {row.network for row in rows if row.provenance == "emulated"}
    return 0 if counted == {network.stem for network in options.networks} else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("networks", nargs="+", type=Path, metavar="MODEL.onnx", help="float32, fixed shapes, batch 1")
    parser.add_argument("--json", type=Path, required=True, help="write every figure here")
    parser.add_argument("--threads", type=int, default=1, help="threads of every engine [1]")
    parser.add_argument("--engines", default=",".join(ENGINES), help="engines beside onnxruntime [all]")
    parser.add_argument(
        "--emulated", choices=("cortex-a7", "cortex-a53", "cortex-a72", "cortex-a76"), help="count on this core"
    )
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


def _emulated_table(rows: Sequence[EmulatedRow]) -> str:
    title = f"{'network':<20} {'engine':<12} {'instructions (emulated)':>24} {'MACs among them':>16}"
    lines = [f"{title} {'cycles (estimated)':>40}  error or reason"]
    for row in rows:
        if row.instructions is None or row.mix is None:
            lines.append(f"{row.network:<20} {row.engine:<12} {'-':>24} {'-':>16} {'-':>40}  not run: {row.reason}")
            continue
        cycles = "-"
        if row.cycles is not None:
            cycles = f"{row.cycles['value']:,} [{row.cycles['low']:,}, {row.cycles['high']:,}]"
        counted = f"{row.network:<20} {row.engine:<12} {row.instructions:>24,} {row.mix['mac']:>16,}"
        lines.append(f"{counted} {cycles:>40}  {row.relative_error:.1e}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
