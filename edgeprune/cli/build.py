"""`edgeprune build`."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import click

from edgeprune.cli.console_progress import console_progress
from edgeprune.cli.options import force_option, json_option, new_directory_option, one_target_option, print_json
from edgeprune.cli.whole_directory import whole_directory
from edgeprune.target import find_target


@click.command("build")
@click.argument("network", metavar="MODEL.onnx", type=click.Path(path_type=Path))
@one_target_option
@click.option(
    "--tuned", type=click.Path(path_type=Path), metavar="DIR", help="What `tune` wrote for this file and board."
)
@click.option("--name", metavar="NAME", help="Prefix of every C name [the file's name].")
@new_directory_option
@force_option
@json_option
def command(
    network: Path, target_name: str, tuned: Path | None, name: str | None, out: Path, force: bool, as_json: bool
) -> None:
    """Compile an ONNX file for a board: library, header, shared library, self-checking executable, manifest.

    \b
    Example:
      edgeprune build model.onnx --target rpi3 --out artifacts/rpi3
    """
    target = find_target(target_name)
    from edgeprune.onnx_reference import made_records
    from edgeprune.stages.build import build
    from edgeprune.stages.lower import lower

    model = name or re.sub(r"[^a-z0-9]+", "_", network.stem.lower()).strip("_") or "model"
    with (
        whole_directory(out, force=force) as partial,
        tempfile.TemporaryDirectory(prefix="edgeprune-") as scratch,
        console_progress() as progress,
    ):
        lower(network, target, Path(scratch), progress)
        golden = made_records(network)
        manifest = build(Path(scratch), tuned, golden, target, "onnx", model, partial, progress)
    if as_json:
        print_json({"directory": str(out), "files": {entry: file.bytes for entry, file in manifest.files.items()}})
        return
    for entry, file in sorted(manifest.files.items()):
        click.echo(f"{file.bytes:>10,}  {out / entry}")
    click.echo(f"arena {manifest.arena_bytes:,} bytes, weights {manifest.weight_bytes:,} bytes")
