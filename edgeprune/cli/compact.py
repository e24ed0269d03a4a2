"""`edgeprune compact`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from edgeprune.cli.options import json_option, print_json, recipe_arguments
from edgeprune.cli.pipeline_verb import run_until
from edgeprune.cli.plan_table import print_plan


@click.command("compact")
@recipe_arguments
@json_option
def command(recipe_name: str, overrides: tuple[str, ...], out: Path | None, fresh: bool, as_json: bool) -> None:
    """Remove what is dead in the masked network: a smaller dense one that computes the same.

    \b
    Example:
      edgeprune compact recipes/lenet5-mnist.toml
    """
    run, _ = run_until("compact", recipe_name, overrides, out, fresh)
    directory = run.root / "compact"
    plan = json.loads((directory / "plan.json").read_text(encoding="utf-8"))
    if as_json:
        print_json({"directory": str(directory), "plan": plan})
    else:
        print_plan(plan)
        click.echo(str(directory / "compact.safetensors"))
