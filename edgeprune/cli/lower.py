"""`edgeprune lower`."""

from __future__ import annotations

from pathlib import Path

import click

from edgeprune.cli.console_progress import console_progress
from edgeprune.cli.options import force_option, json_option, new_directory_option, one_target_option, print_json
from edgeprune.cli.whole_directory import whole_directory
from edgeprune.target import find_target
from edgeprune.tvm_alone import import_tvm_alone


@click.command("lower")
@click.argument("network", metavar="MODEL.onnx", type=click.Path(path_type=Path))
@one_target_option
@new_directory_option
@force_option
@json_option
def command(network: Path, target_name: str, out: Path, force: bool, as_json: bool) -> None:
    """Lower an ONNX file to fused kernels for a board; `tune` and `build` can start from the result.

    \b
    Example:
      edgeprune lower model.onnx --target rpi3 --out lowered/
    """
    target = find_target(target_name)
    import_tvm_alone()
    from edgeprune.lowering import Lowered
    from edgeprune.stages.lower import lower

    with whole_directory(out, force=force) as partial, console_progress() as progress:
        lower(network, target, partial, progress)
    if as_json:
        print_json({"directory": str(out), "kernels": Lowered.load(out).kernel_nodes})
    else:
        click.echo(str(out))
