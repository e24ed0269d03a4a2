"""`edgeprune run`."""

from __future__ import annotations

from pathlib import Path

import click

from edgeprune.cli.options import json_option, recipe_arguments, target_option
from edgeprune.cli.pipeline_verb import run_until
from edgeprune.cli.terminal import table_console
from edgeprune.errors import StageFailure


@click.command("run")
@recipe_arguments
@target_option
@json_option
def command(
    recipe_name: str,
    overrides: tuple[str, ...],
    out: Path | None,
    fresh: bool,
    target_names: tuple[str, ...],
    as_json: bool,
) -> None:
    """Go the whole way of a recipe for one or more boards and show the result.

    Stages whose inputs and settings did not change are kept; an interrupted run goes on where it was. A recipe with
    import paths runs the code they name. With a [budget] as much is pruned as the board needs.

    \b
    Example:
      edgeprune run recipes/lenet5-mnist.toml --target host --target rpi3 --set tune.trials=32
      edgeprune run recipes/lenet5-mnist.toml --target rpi3 --set budget.target=rpi3 --set budget.size_kb=200
    """
    run, _ = run_until("report", recipe_name, overrides, out, fresh, target_names or ("host",))
    from edgeprune.reporting import print_table, read_report, to_json

    report = read_report(run.root / "report" / "report.json")
    if as_json:
        click.echo(to_json(report))
    else:
        print_table(report, table_console())
        click.echo(f"report: {run.root / 'report' / 'report.html'}")
    missed = [line.name for line in report.budget if not line.met]
    if missed:
        raise StageFailure(
            f"budget: {', '.join(missed)} of the finished network missed on {report.budget[0].target}, although what "
            "was tried before retraining kept it; everything is built and reported. Lower the limit a little, or "
            "take prune.scope = 'uniform', whose layers end up as they were tried"
        )
