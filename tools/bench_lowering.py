"""How many networks of a zoo become artifacts that answer as ONNX Runtime does, by the command a user types.

    pip install "edgeprune[bench]" timm && pip install --no-deps torchvision==0.28.0
    python tools/bench_lowering.py --zoo tiny --zoo torchvision --zoo timm --json docs/studies/lowering-coverage.json

Every network gets seeded random weights and statistics of batch normalisation that are not trivial, is exported to
ONNX at a small input, built by `edgeprune build`, and its executable compares itself with ONNX Runtime. Results are
written as they come, and a run that was interrupted continues: rows made by the same code of ``edgeprune/lowering`` and
``edgeprune/artifact`` stay, others are made again. A target that is emulated is checked in the emulator.
"""

from __future__ import annotations

import argparse
import fnmatch
import gc
import json
import sys
import tempfile
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from lowering_bench.network import Job, Row, lower_network, warm_up
from lowering_bench.report import agrees, line, markdown, total
from lowering_bench.zoos import ZOOS
from pruning_bench.results import engine_hash

import edgeprune
from edgeprune.target import Target, find_target

_PACKAGES = ("edgeprune", "torch", "torchvision", "timm", "onnx", "onnxruntime", "apache-tvm", "ziglang")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the zoos asked for; return 1 if a network did not come out as ONNX Runtime's equal."""
    options = _options(arguments)
    target = find_target(options.target)
    rows = _read(options.json, target)
    if options.zoo:
        warm_up()
    gc.freeze()  # what is imported need not be looked through in every process
    for name in options.zoo:
        _run_zoo(name, target, options, rows)
    if options.markdown is not None:
        options.markdown.write_text(markdown(rows), encoding="utf-8")
    shown = {zoo: rows[zoo] for zoo in options.zoo or rows if zoo in rows}
    print("\n".join(total(zoo, found) for zoo, found in shown.items()))
    return int(any(not agrees(row) for found in shown.values() for row in found.values()))


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--zoo", action="append", choices=sorted(ZOOS), default=[], help="may be repeated")
    parser.add_argument("--json", type=Path, required=True, help="the results file, continued if there")
    parser.add_argument("--markdown", type=Path, help="write the tables of all rows")
    parser.add_argument("--target", default="host", help="what to build for")
    parser.add_argument("--quick", action="store_true", help="a few small networks of the zoo")
    parser.add_argument("--only", metavar="PATTERN", nargs="+", default=["*"], help="networks whose name fits one")
    parser.add_argument(
        "--only-failed", action="store_true", help="of the rows other code made, only those that failed"
    )
    parser.add_argument("--seconds", type=int, default=300, help="limit for one stage of one network")
    return parser.parse_args(arguments)


def _run_zoo(zoo_name: str, target: Target, options: argparse.Namespace, rows: dict[str, dict[str, Row]]) -> None:
    zoo = ZOOS[zoo_name]
    package = Path(edgeprune.__file__).parent
    engine = f"{engine_hash(package / 'lowering')}-{engine_hash(package / 'artifact')}"
    found = rows.setdefault(zoo_name, {})
    for name in zoo.quick if options.quick else zoo.names():
        if not any(fnmatch.fnmatchcase(name, pattern) for pattern in options.only):
            continue
        row = found.get(name, {})
        if row.get("engine") != engine and not (options.only_failed and agrees(row)):
            with tempfile.TemporaryDirectory(prefix="lowering-bench-") as folder:
                row = lower_network(Job(zoo, name, target, Path(folder), options.seconds))
            found[name] = {**row, "engine": engine}
            _write(options.json, target, rows)
        print(line(name, row), flush=True)


def _read(path: Path, target: Target) -> dict[str, dict[str, Row]]:
    """Return the rows of an earlier run for the same target."""
    if not path.exists():
        return {}
    document = json.loads(path.read_text(encoding="utf-8"))
    if document["target"] != target.name:
        raise SystemExit(f"{path}: has rows for target {document['target']}; name another file")
    rows: dict[str, dict[str, Row]] = document["rows"]
    return rows


def _write(path: Path, target: Target, rows: dict[str, dict[str, Row]]) -> None:
    document: dict[str, Any] = {"tool": "bench_lowering", "target": target.name, "versions": _versions(), "rows": rows}
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    temporary.replace(path)


def _versions() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


if __name__ == "__main__":
    sys.exit(main())
