"""Tunes networks for boards and puts the records where edgeprune ships them from.

    python tools/ship_records.py --target rpi3 --target cortex-a7 --trials 64 lenet5.onnx lenet5-pruned.onnx

Boards that are emulated are tuned by estimated cycles. Shapes alone decide which kernels a network has, so that
random weights do as well (`tools/write_reference_networks.py`). What lies in the user's database already counts.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from edgeprune.cache import cache_directory
from edgeprune.cli.console_progress import console_progress
from edgeprune.lowering import lower
from edgeprune.progress import Progress
from edgeprune.recipe import Tune
from edgeprune.target import Target, find_target
from edgeprune.tuning.database import Database
from edgeprune.tuning.descriptor import describe
from edgeprune.tuning.engine import tune
from edgeprune.tuning.records_file import export_records
from edgeprune.tuning.shipped import shipped_file


def main() -> None:
    """Tune every network for every target, and export each target's records of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("networks", nargs="+", type=Path, metavar="NETWORK.onnx")
    parser.add_argument("--target", action="append", required=True)
    parser.add_argument("--trials", type=int, default=64, help="per network")
    parser.add_argument("--seconds", type=float, default=600.0, help="per network")
    given = parser.parse_args()
    with console_progress() as progress:
        for name in given.target:
            budget = Tune(trials=given.trials, seconds=given.seconds, emulated=True)
            ship(find_target(name), given.networks, budget, progress)


def ship(target: Target, networks: list[Path], budget: Tune, progress: Progress) -> None:
    """Tune ``networks`` for ``target`` within ``budget`` each, and write the file that is shipped."""
    root = cache_directory("tuning")
    workloads: set[str] = set()
    for network in networks:
        result = tune(lower(network, target), target, budget, database=root, progress=progress)
        workloads |= {kernel.workload for kernel in result.kernels}
    descriptor = describe(target)
    file = shipped_file(descriptor)
    written = export_records(Database(descriptor.directory(root), descriptor), file, workloads)
    progress.note(f"{file}: {written.added} trials, {file.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
