"""`edgeprune report`."""

from __future__ import annotations

from pathlib import Path

import click

from edgeprune.cli.options import json_option, print_json
from edgeprune.cli.terminal import table_console


@click.command("report")
@click.argument("run", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--compare", "other", type=click.Path(path_type=Path), metavar="RUN", help="Put another run beside it.")
@click.option("--csv", "as_csv", is_flag=True, help="Print every figure as CSV, with its unit and provenance.")
@json_option
def command(run: Path, other: Path | None, as_csv: bool, as_json: bool) -> None:
    """Show the report of a run directory (or of a report.json).

    \b
    Example:
      edgeprune report runs/lenet5-mnist --compare runs/lenet5-mnist-64-trials
    """
    from edgeprune.reporting import compare_reports, print_comparison, print_table, read_report, to_csv, to_json

    if other is not None and as_csv:
        raise click.UsageError("--csv shows one run; use --json with --compare")
    report = read_report(run)
    if other is not None:
        comparison = compare_reports(report, read_report(other))
        if as_json:
            print_json([row.as_dict() for row in comparison.rows])
        else:
            print_comparison(comparison, table_console())
    elif as_csv:
        click.echo(to_csv(report), nl=False)
    elif as_json:
        click.echo(to_json(report))
    else:
        print_table(report, table_console())
