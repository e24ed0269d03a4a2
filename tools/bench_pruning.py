"""How many networks of a zoo can be pruned, how exactly and how fast, next to Torch-Pruning in the same run.

    pip install "edgeprune[bench]" && pip install --no-deps torchvision==0.28.0 torch-pruning==1.6.1
    python tools/bench_pruning.py --zoo torchvision --json docs/studies/pruning-coverage.json

Every network runs in a process of its own with limits on time and memory, single-threaded; seconds are processor
seconds. Results are written as they come, and a run that was interrupted continues: rows made by the same code of
``edgeprune/pruning`` stay, others are made again.
"""

from __future__ import annotations

import argparse
import fnmatch
import gc
import sys
import tempfile
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pruning_bench import ours, peer, reload
from pruning_bench.child import Limits, run_child
from pruning_bench.report import line, markdown, totals
from pruning_bench.results import Results, Row, engine_hash, handled
from pruning_bench.zoos import ZOOS, Zoo

import edgeprune.pruning

PEER = "torch-pruning"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the zoos asked for; return 1 if a network was not handled."""
    options = _options(arguments)
    results = Results.read(options.json, {"amount": options.amount, "what": (__doc__ or "").splitlines()[0]})
    for path in options.merge:
        results.merge(Results.read(path, results.settings))
    if options.zoo:
        ours.warm_up()
    gc.freeze()  # what is imported need not be looked through in every process
    for zoo in [ZOOS[name] for name in options.zoo]:
        _run_zoo(zoo, options, results)
    results.write(options.json)
    if options.markdown:
        options.markdown.write_text(markdown(results.rows), encoding="utf-8")
    return _show(results, options.zoo or list(results.rows))


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--zoo", action="append", choices=sorted(ZOOS), help="may be repeated; torchvision if not given"
    )
    parser.add_argument("--quick", action="store_true", help="a few small networks of the zoo")
    parser.add_argument("--only", metavar="PATTERN", nargs="+", default=["*"], help="networks that fit, in this order")
    parser.add_argument("--json", metavar="OUT", type=Path, required=True, help="the results file, continued if there")
    parser.add_argument("--amount", type=float, default=0.5, help="fraction of the channels to remove")
    parser.add_argument("--no-peer", action="store_true", help="leave Torch-Pruning out")
    parser.add_argument("--only-failed", action="store_true", help="of the stale rows, run only those that failed")
    parser.add_argument("--processor-seconds", type=int, default=900, help="limit for one network")
    parser.add_argument("--peer-seconds", type=int, default=120, help="the same limit for Torch-Pruning")
    parser.add_argument("--gibibytes", type=float, default=22, help="limit of one network's address space")
    parser.add_argument("--merge", metavar="FILE", type=Path, nargs="+", default=[], help="take over these files' rows")
    parser.add_argument("--markdown", metavar="OUT", type=Path, help="write the tables of all rows")
    options = parser.parse_args(arguments)
    options.zoo = options.zoo or ([] if options.merge or options.markdown else ["torchvision"])
    return options


def _run_zoo(zoo: Zoo, options: argparse.Namespace, results: Results) -> None:
    for package in zoo.packages:
        results.settings[package] = version(package)
    results.settings.setdefault("excluded", {})[zoo.name] = zoo.excluded
    results.settings.setdefault("listed", {})[zoo.name] = len(zoo.names())
    results.settings["peer_processor_seconds"] = options.peer_seconds
    engine = engine_hash(Path(edgeprune.pruning.__file__).parent)
    names = _fitting(zoo.quick if options.quick else zoo.names(), options.only)
    peer_version = None if options.no_peer else _peer_version()
    for name in names:
        if results.stale(zoo.name, name, "ours", engine, options.only_failed):
            row = _in_folder(lambda folder, name=name: _ours(zoo, name, folder, options))
            results.put(zoo.name, name, "ours", {**row, "version": engine})
            results.write(options.json)
        if peer_version and results.stale(zoo.name, name, "peer", peer_version, options.only_failed):
            row = _in_folder(lambda folder, name=name: _peer(zoo, name, folder, options))
            results.put(zoo.name, name, "peer", {**row, "version": peer_version})
            results.write(options.json)
        print(line(name, results.rows[zoo.name][name]), flush=True)


def _fitting(names: Sequence[str], patterns: Sequence[str]) -> list[str]:
    """Return the names that fit a pattern, in the patterns' order."""
    return list(dict.fromkeys(name for pattern in patterns for name in fnmatch.filter(names, pattern)))


def _in_folder(run: Callable[[Path], Row]) -> Row:
    with tempfile.TemporaryDirectory(prefix="pruning-bench-") as folder:
        return run(Path(folder))


def _limits(options: argparse.Namespace, seconds: int) -> Limits:
    """A machine that others use gives a process a small part of its time only: processor time is what counts."""
    return Limits(seconds, 60 * seconds, options.gibibytes)


def _ours(zoo: Zoo, name: str, folder: Path, options: argparse.Namespace) -> Row:
    limits = _limits(options, options.processor_seconds)
    amount = options.amount
    row = run_child(lambda work, report: ours.run(zoo, name, amount, work, report), folder, limits)
    if not row.get("failed"):
        row.update(run_child(lambda work, report: reload.run(zoo, name, amount, work, report), folder, limits))
    return {"handled": handled(row), "input": list(zoo.shape(name)[0]), **row}


def _peer(zoo: Zoo, name: str, folder: Path, options: argparse.Namespace) -> Row:
    limits = _limits(options, options.peer_seconds)
    row = run_child(lambda work, report: peer.run(zoo, name, options.amount, work, report), folder, limits)
    return {"handled": False, **row}


def _peer_version() -> str | None:
    try:
        return f"{PEER} {version(PEER)}"
    except PackageNotFoundError:
        print(f"{PEER} is not installed; only edgeprune runs", file=sys.stderr)
        return None


def _show(results: Results, zoos: Sequence[str]) -> int:
    shown = {zoo: results.rows[zoo] for zoo in zoos if zoo in results.rows}
    for zoo, rows in shown.items():
        print("\n".join(totals(zoo, rows, PEER)))
    return int(any(not row.get("ours", {}).get("handled") for rows in shown.values() for row in rows.values()))


if __name__ == "__main__":
    sys.exit(main())
