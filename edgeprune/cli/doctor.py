"""`edgeprune doctor`."""

from __future__ import annotations

import sys

import click

from edgeprune.cli.options import json_option, print_json
from edgeprune.cli.terminal import table_console


@click.command("doctor")
@click.option(
    "--deep", is_flag=True, help="Also link for three boards, compile the QEMU plugin, load TVM and ask boards."
)
@json_option
def command(deep: bool, as_json: bool) -> None:
    """Say what this machine has and lacks: packages, toolchain, emulators, programs. Exit code 1 if it cannot work.

    \b
    Example:
      edgeprune doctor --deep
    """
    from rich.table import Table

    from edgeprune.doctor import examine

    diagnosis = examine(deep=deep)
    if as_json:
        print_json(diagnosis.as_dict())
    else:
        table = Table("what", "state", "found", "what to do", box=None, pad_edge=False)
        for row in diagnosis.rows:
            state = row.state if row.required or row.state != "absent" else "absent (optional)"
            table.add_row(row.name, state, row.detail, row.mend)
        table_console().print(table)
        click.echo("ready" if diagnosis.healthy else "not ready: see the rows marked absent or clash")
    if not diagnosis.healthy:
        sys.exit(1)
