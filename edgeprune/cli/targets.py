"""`edgeprune targets`."""

from __future__ import annotations

import click

from edgeprune.cli.options import json_option, print_json
from edgeprune.target import find_target, list_targets


@click.group("targets")
def command() -> None:
    """List, show and check targets: those in ./targets and those that come with edgeprune.

    \b
    Example:
      edgeprune targets show rpi3
    """


@command.command("list")
@json_option
def list_command(as_json: bool) -> None:
    """List the boards with their descriptions.

    \b
    Example:
      edgeprune targets list
    """
    rows = {name: find_target(name).description for name in list_targets()}
    if as_json:
        print_json(rows)
        return
    width = max(map(len, rows))
    for name, description in rows.items():
        click.echo(f"{name:<{width}} {description}")


@command.command("show")
@click.argument("name")
def show_command(name: str) -> None:
    """Print a target with what it extends filled in, as JSON.

    \b
    Example:
      edgeprune targets show rpi3
    """
    print_json(find_target(name).model_dump(mode="json"))


@command.command("check")
@click.argument("name")
@json_option
def check_command(name: str, as_json: bool) -> None:
    """Check that TVM and the linker accept a target, and whether its programs can run from here.

    \b
    Example:
      edgeprune targets check my-camera
    """
    target = find_target(name)
    from edgeprune.board_check import check_board

    findings = check_board(target)
    if as_json:
        print_json(findings)
        return
    for what, found in findings.items():
        click.echo(f"{what:<10} {found}")
