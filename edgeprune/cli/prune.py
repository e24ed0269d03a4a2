"""`edgeprune prune`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from edgeprune.cli.console_progress import console_progress
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
    run, _ = run_until("budget" if dry_run else "prune", recipe_name, overrides, out, fresh)
    if dry_run:
        from edgeprune.stages.prune import plan_only
        from edgeprune.stages.within_budget import within_budget

        recipe = within_budget(run.recipe, run.root / "budget")
        with console_progress() as progress:
            found = {"plan": plan_only(recipe, run.root / "train" / "model.safetensors", progress)}
    else:
        table = "weights" if run.recipe.prune.masks_only else "plan"
        found = {
            "history": _read(run.root / "prune" / "history.json"),
            "plan": _read(run.root / "prune" / f"{table}.json"),
        }
    if as_json:
        print_json(found)
        return
    print_plan(found["plan"])
    for done in found.get("history", {}).get("rounds", []):
        click.echo(
            f"round {done['number']}: {done['amount']:.1%} pruned, {done['live']:,} parameters live, "
            f"validation {done['after_retraining']:.2%}"
        )


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
