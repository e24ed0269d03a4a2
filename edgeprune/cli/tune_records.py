"""`edgeprune tune status`, `export` and `import`: the records of all devices, in the cache."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgeprune.cache import cache_directory
from edgeprune.cli.choices_text import choices_text
from edgeprune.cli.options import json_option, one_target_option, print_json
from edgeprune.errors import UserError
from edgeprune.target import Target, find_target
from edgeprune.tvm_alone import import_tvm_alone

if TYPE_CHECKING:
    from edgeprune.lowering import Lowered
    from edgeprune.tuning.database import Database
    from edgeprune.tuning.status import DeviceStatus

_NETWORK = click.Path(path_type=Path, exists=True, dir_okay=False)
_network_option = click.option("--network", type=_NETWORK, metavar="MODEL.onnx", help="Only this network's kernels.")


@click.command("status")
@click.option("--target", "-t", "target_name", metavar="NAME", help="Only this board's records.")
@_network_option
@json_option
def status_command(target_name: str | None, network: Path | None, as_json: bool) -> None:
    """Show what has been tuned: per kernel the best time, trials and failures, per device; of one network the hit rate.

    \b
    Example:
      edgeprune tune status --target host --network model.onnx
    """
    if network is not None and target_name is None:
        raise UserError("--network: say for which board, with --target; kernels differ from CPU to CPU")
    devices, unreadable = _devices(target_name, network)
    for reason in unreadable:
        click.echo(reason, err=True)
    if as_json:
        print_json([device.as_dict() for device in devices])
        return
    if not devices:
        click.echo("no records yet; 'edgeprune tune MODEL.onnx' makes them")
    for device in devices:
        _show(device)


@click.command("export")
@one_target_option
@_network_option
@click.option("--out", "-o", required=True, type=click.Path(path_type=Path), metavar="FILE.zip", help="File to write.")
def export_command(target_name: str, network: Path | None, out: Path) -> None:
    """Write a board's records to one file, for another machine with the same board.

    \b
    Example:
      edgeprune tune export --target host --network model.onnx --out records.zip
    """
    import_tvm_alone()
    from edgeprune.tuning.records_file import export_records

    records = _open(target_name)
    workloads = None if network is None else {workload for workload, _ in _kernels(network, target_name)}
    written = export_records(records, out, workloads)
    click.echo(f"{out}: {written.added} trials")


@click.command("import")
@click.argument("files", nargs=-1, required=True, metavar="FILE.zip...", type=click.Path(path_type=Path))
def import_command(files: tuple[Path, ...]) -> None:
    """Merge files that `tune export` wrote into the records in the cache; what is there already stays.

    \b
    Example:
      edgeprune tune import records.zip
    """
    import_tvm_alone()
    from edgeprune.tuning.records_file import import_records

    for file in files:
        descriptor, merged = import_records(file, cache_directory("tuning"))
        click.echo(f"{file}: {merged.added} trials added for {descriptor.cpu}, {merged.already} were there already")


def _devices(target_name: str | None, network: Path | None) -> tuple[list[DeviceStatus], list[str]]:
    import_tvm_alone()
    from edgeprune.tuning.status import all_devices, device_status

    if target_name is None:
        return all_devices(cache_directory("tuning"))
    if network is None:
        return [device_status(_open(target_name))], []
    from edgeprune.lowering import lower
    from edgeprune.stages.choose import network_key

    target = find_target(target_name)
    lowered = lower(network, target)
    key = network_key(lowered.onnx_sha256, target)
    return [device_status(_open(target_name), _named(lowered, target), key)], []


def _open(target_name: str) -> Database:
    from edgeprune.tuning.database import Database
    from edgeprune.tuning.descriptor import describe
    from edgeprune.tuning.shipped import take_shipped

    descriptor, root = describe(find_target(target_name)), cache_directory("tuning")
    take_shipped(root, descriptor)
    return Database(descriptor.directory(root), descriptor)


def _kernels(network: Path, target_name: str) -> list[tuple[str, str]]:
    from edgeprune.lowering import lower

    target = find_target(target_name)
    return _named(lower(network, target), target)


def _named(lowered: Lowered, target: Target) -> list[tuple[str, str]]:
    from edgeprune.tuning.kernels import extract_kernels

    return [(kernel.workload, kernel.name) for kernel in extract_kernels(lowered, target)]


def _show(device: DeviceStatus) -> None:
    hits = "" if device.hit_rate is None else f", {device.hit_rate:.0%} of the kernels have a record"
    descriptor = device.descriptor
    click.echo(
        f"{descriptor.cpu}, {descriptor.threads} thread(s), TVM {descriptor.tvm}, times "
        f"{descriptor.provenance} ({descriptor.key}){hits}"
    )
    if not device.kernels:
        click.echo("  no trials yet")
    width = max((len(kernel.name or kernel.workload) for kernel in device.kernels), default=0)
    for kernel in device.kernels:
        best = "-" if kernel.best_us is None else f"{kernel.best_us:.2f} us"
        untuned = "-" if kernel.baseline_us is None else f"{kernel.baseline_us:.2f} us"
        failures = ", ".join(f"{count} {reason}" for reason, count in kernel.failures.items())
        click.echo(
            f"  {kernel.name or kernel.workload:<{width}} best {best:>11}  untuned {untuned:>11}"
            + f" {kernel.trials:>5} trials"
            + (f"  failed: {failures}" if failures else "")
            + ("  (no further schedules)" if kernel.exhausted else "")
        )
    for compared in device.compared:
        click.echo(f"{compared.name}: {choices_text(compared.as_dict())}")
