"""`edgeprune build`."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import click

from edgeprune.cli.console_progress import console_progress
from edgeprune.cli.options import force_option, json_option, new_directory_option, one_target_option, print_json
from edgeprune.cli.whole_directory import whole_directory
from edgeprune.target import MOST_THREADS, find_target
from edgeprune.tvm_alone import import_tvm_alone


@click.command("build")
@click.argument("network", metavar="MODEL.onnx", type=click.Path(path_type=Path))
@one_target_option
@click.option(
    "--tuned", type=click.Path(path_type=Path), metavar="DIR", help="What `tune` wrote for this file and board."
)
@click.option("--name", metavar="NAME", help="Prefix of every C name [the file's name].")
@click.option(
    "--format",
    "form",
    type=click.Choice(["artifact", "relax-vm"]),
    default="artifact",
    show_default=True,
    help="Files that need no runtime, or a library for TVM's own runtime.",
)
@click.option(
    "--threads",
    type=click.IntRange(1, MOST_THREADS),
    metavar="N",
    help="Most threads that one inference may use [the target's, usually 1].",
)
@new_directory_option
@force_option
@json_option
def command(
    network: Path,
    target_name: str,
    tuned: Path | None,
    name: str | None,
    form: str,
    threads: int | None,
    out: Path,
    force: bool,
    as_json: bool,
) -> None:
    """Compile an ONNX file for a board: library, header, shared library, self-checking executable, manifest.

    With --format relax-vm the kernels are the same, in one library that TVM's runtime loads, also over RPC.

    \b
    Example:
      edgeprune build model.onnx --target rpi3 --out artifacts/rpi3
    """
    target = find_target(target_name)
    if threads is not None:
        target = target.model_copy(update={"threads": threads})
    import_tvm_alone()
    from edgeprune.onnx_reference import made_records
    from edgeprune.stages.build import as_chosen
    from edgeprune.stages.lower import lower
    from edgeprune.toolchain import toolchain_for

    toolchain_for(target)  # a missing compiler is said now, not after all that comes before it
    model = name or re.sub(r"[^a-z0-9]+", "_", network.stem.lower()).strip("_") or "model"
    with (
        whole_directory(out, force=force) as partial,
        tempfile.TemporaryDirectory(prefix="edgeprune-") as scratch,
        console_progress() as progress,
    ):
        lowered = Path(scratch)
        target = as_chosen(tuned, target)
        lower(network, target, lowered, progress)
        golden = made_records(network)
        if form == "relax-vm":
            from edgeprune.stages.build_vm import build_vm

            build_vm(lowered, tuned, golden, target, model, partial, progress)
        else:
            from edgeprune.stages.build import build

            manifest = build(lowered, tuned, golden, target, "onnx", model, partial, progress)
    sizes = {path.name: path.stat().st_size for path in sorted(out.iterdir()) if path.suffix != ".json"}
    if as_json:
        print_json({"directory": str(out), "files": sizes})
        return
    for entry, size in sizes.items():
        click.echo(f"{size:>10,}  {out / entry}")
    if form == "artifact":
        click.echo(f"arena {manifest.arena_bytes:,} bytes, weights {manifest.weight_bytes:,} bytes")
