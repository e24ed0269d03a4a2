"""`edgeprune prune`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from edgeprune.cli.options import json_option, print_json, recipe_arguments
from edgeprune.cli.pipeline_verb import run_until
from edgeprune.cli.plan_table import print_plan


@click.command("prune")
@recipe_arguments
@click.option("--dry-run", is_flag=True, help="Only plan the last round on the trained network; print the plan.")
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

        plan = json.loads(plan_only(run.recipe, run.root / "train").to_json())
    else:
        plan = json.loads((run.root / "prune" / "plan.json").read_text(encoding="utf-8"))
    if as_json:
        print_json({"directory": None if dry_run else str(run.root / "prune"), "plan": plan})
    else:
        print_plan(plan)
