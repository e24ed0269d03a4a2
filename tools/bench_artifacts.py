"""Sizes, memory and agreement of the reference networks' artifacts, for every kind of ARM core.

    python tools/bench_artifacts.py --json artifacts.json [--quick] [--markdown docs/artifacts.md]

Every artifact is built with default schedules and checked in the emulator with its board's CPU enforced; where there
is no emulator its row says so. A network whose weights grow by Winograd's method has two rows: as its target says, and
with `cpu.winograd = false`. That one is held against the network's own weights, and so are the targets that bound the
growth. `--quick` leaves out MobileNetV2, `--add` keeps an earlier run's rows of other networks and targets. Nothing
here is a latency.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from reference_networks import REFERENCES, Reference, build

from edgeprune.artifact import build_artifact
from edgeprune.emulation import Unavailable
from edgeprune.exporting import export_onnx
from edgeprune.lowering import import_onnx, lower, read_program, schedule
from edgeprune.lowering.winograd_plan import weight_bytes
from edgeprune.measuring.bench_run import read_bench_run
from edgeprune.measuring.open_transport import open_transport
from edgeprune.onnx_reference import made_records
from edgeprune.stages.golden import tolerance_on
from edgeprune.target import Target, find_target

TARGETS = ("rpi3", "rpi4", "rpi5", "cortex-a7", "armv7")
SMALLEST, LARGE = "lenet5-pruned", "mobilenet-v2"
MODEL = "model"
_SECONDS_IN_EMULATOR = 600.0
_MOST_CODE = 24 * 1024  # of the smallest network's library
_SEEDED, _IMAGENET = "seeded", "torchvision, ImageNet"
_START, _END = "<!-- table -->", "<!-- end of table -->"


@dataclass(frozen=True)
class Row:
    """One network on one board; sizes in bytes.

    ``own_weight_bytes`` are the network's weights as float32, ``weight_bytes`` what the artifact keeps of them: more
    where channels are filled up to whole vectors or weights are transformed (``winograd``: how far the target lets
    them grow, false if nothing was transformed). ``overhead_bytes`` is what the executable has beyond the weights it
    keeps. ``not_run`` says why it was not run, if it was not.
    """

    network: str
    target: str
    isa: str
    emulated_cpu: str
    winograd: bool | float
    executable_bytes: int
    own_weight_bytes: int
    weight_bytes: int
    overhead_bytes: int
    allowed_overhead_bytes: int
    code_bytes: int
    arena_bytes: int
    arena_bound_bytes: int
    kernels: int
    max_relative_error: float | None
    not_run: str | None
    build_seconds: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Build and run everything; return 1 if a row misses what it should reach."""
    options = _options(arguments)
    targets = [find_target(name) for name in options.targets]
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="edgeprune-bench-") as scratch:
        for reference in REFERENCES:
            if reference.name not in options.networks or (options.quick and reference.name == LARGE):
                continue
            weights = options.mobilenet_v2_weights if reference.name == LARGE else None
            path = Path(scratch) / f"{reference.name}.onnx"
            network = build(reference, weights=weights)
            export_onnx(network, torch.zeros(1, *reference.input_shape), path)
            for target in targets:
                for row in _rows(reference, path, target, Path(scratch) / target.name):
                    rows.append(row)
                    print(_in_words(row), flush=True)
    origin = _IMAGENET if options.mobilenet_v2_weights is not None else _SEEDED
    if options.add and options.json.exists():
        earlier = json.loads(options.json.read_text(encoding="utf-8"))
        if not any(row.network == LARGE for row in rows):
            origin = earlier["weights"][LARGE]
        rows = [*_earlier_rows(earlier, rows), *rows]
    document = _document(rows, origin)
    options.json.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    if options.markdown is not None:
        page = options.markdown.read_text(encoding="utf-8")
        options.markdown.write_text(_between_marks(page, _markdown(document)), encoding="utf-8")
    missed = [complaint for row in rows for complaint in _complaints(row)]
    print("\n".join(missed), file=sys.stderr)
    return 1 if missed else 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, required=True, help="where the rows go")
    parser.add_argument(
        "--markdown", type=Path, help=f"a page whose part between {_START} and {_END} the table becomes"
    )
    parser.add_argument("--quick", action="store_true", help=f"without {LARGE}")
    parser.add_argument("--add", action="store_true", help="to the rows that the JSON file holds already")
    names = [reference.name for reference in REFERENCES]
    parser.add_argument("--networks", nargs="+", choices=names, default=names)
    parser.add_argument("--targets", nargs="+", default=TARGETS)
    parser.add_argument("--mobilenet-v2-weights", type=Path, help="torchvision's mobilenet_v2 state dict")
    return parser.parse_args(arguments)


def _earlier_rows(document: dict[str, Any], rows: list[Row]) -> list[Row]:
    made = {(row.network, row.target) for row in rows}
    found = [Row(**row) for row in document["rows"]]
    return [row for row in found if (row.network, row.target) not in made]


def _rows(reference: Reference, path: Path, target: Target, out: Path) -> Iterator[Row]:
    row = _row(reference, path, target, out)
    yield row
    if row.winograd is not False:
        plain = target.model_copy(update={"cpu": target.cpu.model_copy(update={"winograd": False})})
        yield _row(reference, path, plain, out)


def _row(reference: Reference, path: Path, target: Target, out: Path) -> Row:
    golden = made_records(path)
    start = time.monotonic()
    program = read_program(schedule(lower(path, target), target))
    manifest = build_artifact(
        program,
        target,
        out,
        model=MODEL,
        variant="onnx",
        golden_inputs=golden[0],
        golden_outputs=golden[1],
        tolerance=tolerance_on(target),
    )
    seconds = time.monotonic() - start
    error, not_run = _check(out, target)
    executable = manifest.files[f"{MODEL}-bench"].bytes
    return Row(
        network=reference.name,
        target=target.name,
        isa=target.cpu.isa,
        emulated_cpu=target.emulator.cpu if target.emulator is not None else "",
        winograd=any("winograd" in kernel.name for kernel in manifest.kernels) and target.cpu.winograd,
        executable_bytes=executable,
        own_weight_bytes=weight_bytes(import_onnx(path).module),
        weight_bytes=manifest.weight_bytes,
        overhead_bytes=executable - manifest.weight_bytes,
        allowed_overhead_bytes=reference.overhead_bytes,
        code_bytes=manifest.code_bytes,
        arena_bytes=manifest.arena_bytes,
        arena_bound_bytes=manifest.arena_bound_bytes,
        kernels=len(manifest.kernels),
        max_relative_error=error,
        not_run=not_run,
        build_seconds=round(seconds, 1),
    )


def _check(directory: Path, target: Target) -> tuple[float | None, str | None]:
    board = open_transport(target)
    if isinstance(board, Unavailable):
        return None, f"{board.reason}; {board.mend}"
    with board:
        done = board.run([board.push(directory / f"{MODEL}-bench"), "--check-only"], timeout=_SECONDS_IN_EMULATOR)
    return read_bench_run(done, f"{directory.name} on {target.name}").check.max_relative_error, None


def _complaints(row: Row) -> list[str]:
    found = []
    where = f"{row.network} on {row.target}"
    if row.overhead_bytes > row.allowed_overhead_bytes:
        found.append(
            f"{where}: {row.overhead_bytes:,} bytes beyond its weights, allowed {row.allowed_overhead_bytes:,}"
        )
    beyond_own = row.executable_bytes - row.own_weight_bytes
    if row.winograd is not True and beyond_own > row.allowed_overhead_bytes:
        found.append(
            f"{where}: {beyond_own:,} bytes beyond the network's own weights, allowed {row.allowed_overhead_bytes:,}"
        )
    if not isinstance(row.winograd, bool) and row.weight_bytes > row.winograd * row.own_weight_bytes:
        found.append(f"{where}: keeps {row.weight_bytes:,} bytes of weights, more than {row.winograd:g} times its own")
    if row.network == SMALLEST and row.code_bytes > _MOST_CODE:
        found.append(f"{where}: {row.code_bytes:,} bytes of code, allowed {_MOST_CODE:,}")
    if row.arena_bytes > 1.1 * row.arena_bound_bytes:
        found.append(f"{where}: arena {row.arena_bytes:,} bytes, more than 10 % above its bound")
    return found


def _in_words(row: Row) -> str:
    outcome = row.not_run or f"{row.max_relative_error:.1e} off"
    return (
        f"{row.network}{_method(row.winograd)} on {row.target}: {row.weight_bytes / 1024:,.1f} KiB of weights "
        f"({row.own_weight_bytes / 1024:,.1f} its own) + {row.overhead_bytes / 1024:.1f}, "
        f"arena {row.arena_bytes:,}, "
        f"{outcome}, built in {row.build_seconds} s"
    )


def _document(rows: list[Row], origin: str) -> dict[str, Any]:
    versions = {name: version(name) for name in ("edgeprune", "torch", "onnxruntime", "apache-tvm", "ziglang")}
    order = [reference.name for reference in REFERENCES]
    places = {name: place for place, name in enumerate(TARGETS)}
    rows.sort(key=lambda row: (order.index(row.network), places.get(row.target, len(places))))
    return {
        "tool": "bench_artifacts",
        "versions": versions,
        "weights": {LARGE: origin if any(row.network == LARGE for row in rows) else _SEEDED},
        "rows": [asdict(row) for row in rows],
    }


def _markdown(document: dict[str, Any]) -> str:
    real = document["weights"][LARGE] == _IMAGENET
    versions = ", ".join(f"{name} {number}" for name, number in document["versions"].items())
    lines = [
        f"Weights are seeded random ones{', those of MobileNetV2 torchvision’s for ImageNet' if real else ''}.",
        f"Made with {versions}.",
        "",
        "| network | core | own weights | kept | executable | over kept | over own | library code | arena | over bound "
        "| error |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for row in document["rows"]:
        error = "not run" if row["max_relative_error"] is None else f"{row['max_relative_error']:.1e}"
        above = 100 * (row["arena_bytes"] / row["arena_bound_bytes"] - 1)
        lines.append(
            f"| {row['network']}{_method(row['winograd'])} | {_core(row)} "
            f"| {_kib(row['own_weight_bytes'])} | {_kib(row['weight_bytes'])} | {_kib(row['executable_bytes'])} "
            f"| {_kib(row['overhead_bytes'])} | {_kib(row['executable_bytes'] - row['own_weight_bytes'])} "
            f"| {_kib(row['code_bytes'])} | {_kib(row['arena_bytes'])} | {above:.1f} % | {error} |"
        )
    return "\n".join(lines) + "\n"


def _core(row: dict[str, Any]) -> str:
    """Return the core that a row stands for; of targets beyond the five cores the name, too."""
    core, target = row["emulated_cpu"], row["target"]
    return core if target in TARGETS else f"{target} ({core})" if core else target


def _between_marks(page: str, content: str) -> str:
    before, start, rest = page.partition(_START)
    _, end, after = rest.partition(_END)
    if not start or not end:
        raise SystemExit(f"--markdown: the page has no {_START} and {_END} to write between")
    return f"{before}{start}\n{content}{end}{after}"


def _method(winograd: bool | float) -> str:
    if isinstance(winograd, bool):
        return ", Winograd" if winograd else ""
    return f", Winograd up to {winograd:g}"


def _kib(count: int) -> str:
    return f"{count / 1024:,.1f} KiB"


if __name__ == "__main__":
    raise SystemExit(main())
