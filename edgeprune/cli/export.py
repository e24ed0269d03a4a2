"""`edgeprune export`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from edgeprune.cli.options import json_option, print_json, recipe_arguments
from edgeprune.cli.pipeline_verb import run_until
from edgeprune.stages.variant import VARIANTS


@click.command("export")
@recipe_arguments
@json_option
def command(recipe_name: str, overrides: tuple[str, ...], out: Path | None, fresh: bool, as_json: bool) -> None:
    """Write the dense and the pruned network as ONNX, checked against ONNX Runtime.

    \b
    Example:
      edgeprune export recipes/lenet5-mnist.toml
    """
    run, _ = run_until("export", recipe_name, overrides, out, fresh)
    directory = run.root / "export"
    if as_json:
        parity = json.loads((directory / "parity.json").read_text(encoding="utf-8"))
        print_json({"files": {v: str(directory / f"{v}.onnx") for v in VARIANTS}, "parity": parity})
        return
    for variant in VARIANTS:
        click.echo(str(directory / f"{variant}.onnx"))
