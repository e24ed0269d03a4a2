"""`edgeprune data`."""

from __future__ import annotations

import click

from edgeprune.cli.console_progress import console_progress
from edgeprune.cli.options import json_option, print_json

NAMES = ("mnist", "fashion-mnist")


@click.group("data")
def command() -> None:
    """Fetch datasets into the cache, verified by checksum.

    \b
    Example:
      edgeprune data fetch mnist
    """


@command.command("fetch")
@click.argument("name", type=click.Choice(NAMES))
@click.option("--offline", is_flag=True, help="Only verify what the cache holds.")
@json_option
def fetch_command(name: str, offline: bool, as_json: bool) -> None:
    """Fetch a dataset, or verify the copy in the cache.

    \b
    Example:
      edgeprune data fetch fashion-mnist
    """
    from edgeprune.data import fetch

    with console_progress() as progress:
        directory = fetch(name, offline=offline, progress=progress)
    if as_json:
        print_json({"name": name, "directory": str(directory)})
    else:
        click.echo(str(directory))
