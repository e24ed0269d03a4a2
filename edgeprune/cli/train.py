"""`edgeprune train`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from edgeprune.cli.options import json_option, print_json, recipe_arguments
from edgeprune.cli.pipeline_verb import run_until


@click.command("train")
@recipe_arguments
@json_option
def command(recipe_name: str, overrides: tuple[str, ...], out: Path | None, fresh: bool, as_json: bool) -> None:
    """Train the recipe's network (or take the weights it names).

    \b
    Example:
      edgeprune train recipes/lenet5-mnist.toml --set train.epochs=2
    """
    run, _ = run_until("train", recipe_name, overrides, out, fresh)
    history = json.loads((run.root / "train" / "history.json").read_text(encoding="utf-8"))
    if as_json:
        print_json({"directory": str(run.root / "train"), "history": history})
        return
    click.echo(f"{run.root / 'train' / 'model.safetensors'}")
