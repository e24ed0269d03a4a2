"""What tuning reaches, beside the other engines and stock MetaSchedule: every figure the tuner is held to.

    pip install "edgeprune[peers]"
    python tools/bench_tuning.py --json OUT [--quick] [--part NAME ...] [--markdown PAGE]

Parts:

- ``host``: our artifacts, untuned and tuned, and every engine installed take turns on this machine, one thread and two.
- ``emulated``: instructions and estimated cycles on a Cortex-A53 and a Cortex-A7, ours and the others'.
- ``pruning-pays``: ResNet-20 against its half by channels, and a sweep of channel counts.
- ``throughput``: candidates a second, start-up, memory and a warm rebuild, beside stock MetaSchedule.
- ``curve``: the best latency after so many trials, ours and stock MetaSchedule's on the same kernels and runner.
- ``transfer``: trials until a kernel is fast, with the records of a near one and without.

Rows are written as they come. Those in OUT that the same code and settings made are kept, so that an interrupted run
goes on where it was; what is made on the way (records, artifacts, conversions) is kept in OUT.work. With --prepare-only
everything that takes long is done and nothing is timed: the same call without it then times in minutes.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

from peers.engine import ENGINES
from tuning_bench.goals import Verdict
from tuning_bench.networks import NETWORKS
from tuning_bench.part import Part
from tuning_bench.results import Results
from tuning_bench.workshop import Budget, Workshop

PARTS = {
    "host": "tuning_bench.host",
    "emulated": "tuning_bench.emulated",
    "pruning-pays": "tuning_bench.pruning_pays",
    "throughput": "tuning_bench.throughput",
    "curve": "tuning_bench.curve",
    "transfer": "tuning_bench.transfer",
}
MOST_SECONDS = 1800.0
STANDARD = Budget(trials=1000, seconds=300)
QUICK = Budget(trials=16, seconds=60)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the parts asked for; 0 when every goal that was measured is met."""
    options = _options(arguments)
    results = Results(options.json)
    workshop = Workshop(options.work or options.json.with_name(options.json.name + ".work"), _say)
    for name in options.part:
        importlib.import_module(PARTS[name]).run(_part(name, options, workshop, results))
    if options.markdown is not None:
        from tuning_bench.page import page

        options.markdown.write_text(page(results.rows, options.markdown.parent), encoding="utf-8")
    return int(any(_missed(verdict) for row in results.rows for verdict in row.verdicts))


def _part(name: str, options: argparse.Namespace, workshop: Workshop, results: Results) -> Part:
    return Part(
        name=name,
        workshop=workshop,
        results=results,
        networks=[network for network in NETWORKS if network.name in options.networks],
        budget=Budget(options.trials, options.seconds),
        threads=options.threads,
        engines=options.engines.split(","),
        stock_trials=options.stock_trials,
        quick=options.quick,
        prepare_only=options.prepare_only,
        command=_command(name, options),
        say=_say,
    )


def _command(name: str, options: argparse.Namespace) -> str:
    quick = " --quick" if options.quick else ""
    budget = f" --trials {options.trials} --seconds {options.seconds:g}"
    budget += f" --stock-trials {options.stock_trials}" if name == "curve" and options.stock_trials else ""
    return f"python tools/bench_tuning.py{quick} --part {name}{budget} --json OUT"


def _missed(verdict: Verdict) -> bool:
    return verdict.met is False


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", metavar="OUT", type=Path, required=True, help="the results file, continued if there")
    parser.add_argument("--part", nargs="+", choices=list(PARTS), default=list(PARTS), help="[all]")
    parser.add_argument("--quick", action="store_true", help="small budgets, few rounds: to see that everything runs")
    names = [network.name for network in NETWORKS]
    parser.add_argument("--networks", nargs="+", choices=names, default=names, metavar="NAME", help=", ".join(names))
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2], help="threads of the part host [1 2]")
    others = [name for name in ENGINES if name != "edgeprune"]
    parser.add_argument("--engines", default=",".join(others), help="engines beside ours [all]")
    parser.add_argument("--trials", type=int, help=f"candidates per network [{STANDARD.trials}, quick {QUICK.trials}]")
    parser.add_argument(
        "--seconds", type=float, help=f"tuning of one network [{STANDARD.seconds:g}, quick {QUICK.seconds:g}]"
    )
    parser.add_argument("--stock-trials", type=int, default=0, help="stock MetaSchedule's in the part curve [its own]")
    parser.add_argument("--prepare-only", action="store_true", help="tune, build and convert, but time nothing")
    parser.add_argument("--work", metavar="DIR", type=Path, help="where products are kept [OUT.work]")
    parser.add_argument("--markdown", metavar="PAGE", type=Path, help="write the tables of all rows")
    options = parser.parse_args(arguments)
    budget = QUICK if options.quick else STANDARD
    options.trials = budget.trials if options.trials is None else options.trials
    options.seconds = budget.seconds if options.seconds is None else options.seconds
    if not 0 < options.seconds <= MOST_SECONDS:
        parser.error(f"--seconds: the goals allow at most {MOST_SECONDS:g} s of tuning for a network")
    unknown = [name for name in options.engines.split(",") if name not in others]
    if unknown:
        parser.error(f"--engines: {unknown[0]} is not known; choose among {', '.join(others)}")
    return options


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
