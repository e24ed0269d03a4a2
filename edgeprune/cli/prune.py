"""`edgeprune prune`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from edgeprune.cli.options import json_option, print_json, recipe_arguments
from edgeprune.cli.pipeline_verb import run_until
from edgeprune.cli.plan_table import print_plan


@click.command("prune")
@recipe_arguments
@click.option(
    "--dry-run", is_flag=True, help="Plan the whole amount on the trained network and print it; prune nothing."
)
@json_option
def command(
    recipe_name: str, overrides: tuple[str, ...], out: Path | None, fresh: bool, dry_run: bool, as_json: bool
) -> None:
    """Prune the trained network and retrain it, in the rounds the recipe asks for.

    \b
    Example:
      edgeprune prune recipes/lenet5-mnist.toml --set prune.amount=0.5 --dry-run
    """
    run, _ = run_until("train" if dry_run else "prune", recipe_name, overrides, out, fresh)
    if dry_run:
        from edgeprune.stages.prune import plan_only

        found = {"plan": json.loads(plan_only(run.recipe, run.root / "train" / "model.safetensors").to_json())}
    else:
        found = {name: _read(run.root / "prune" / f"{name}.json") for name in ("history", "plan")}
    if as_json:
        print_json(found)
        return
    if found["plan"] is not None:
        print_plan(found["plan"])
    for done in found.get("history", {}).get("rounds", []):
        click.echo(
            f"round {done['number']}: {done['amount']:.1%} pruned, {done['live']:,} parameters live, "
            f"validation {done['after_retraining']:.2%}"
        )


def _read(path: Path) -> Any:
    """Return a file's content; pruning single weights leaves no plan of channels."""
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
