"""`edgeprune boards`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from edgeprune.cli.console_progress import console_progress
from edgeprune.cli.options import json_option, one_target_option, print_json
from edgeprune.errors import UserError
from edgeprune.recipe import Measure
from edgeprune.target import Address, find_target
from edgeprune.toml_file import validate


@click.group("boards")
def command() -> None:
    """Work with many boards behind a TVM RPC tracker.

    \b
    Example:
      edgeprune boards list tracker://lab:9190/rpi3
    """


@command.command("list")
@click.argument("address")
@json_option
def list_command(address: str, as_json: bool) -> None:
    """Say how many boards with a key a tracker knows, and how many of them are free.

    \b
    Example:
      edgeprune boards list tracker://lab:9190/rpi3
    """
    try:
        where = Address.parse(address)
    except ValueError as error:
        raise UserError(str(error)) from None
    if where.way != "tracker":
        raise UserError(f"{address}: only a tracker has boards to list: tracker://HOST:PORT/KEY")
    from edgeprune.measuring.rpc.tracker import count_boards

    count = count_boards(where)
    found = {"key": where.key, "boards": count.known, "free": count.free, "waiting": count.waiting}
    if as_json:
        print_json(found)
    else:
        click.echo(f"{where.key}: {count.known} boards, {count.free} free, {count.waiting} requests waiting")


@command.command("measure")
@click.argument("artifacts", metavar="ARTIFACT...", nargs=-1, required=True, type=click.Path(path_type=Path))
@one_target_option
@click.option("--boards", "-n", type=click.IntRange(min=1), default=1, show_default=True, help="How many at once.")
@click.option("--protocol", type=click.Choice(["quick", "standard", "mlperf"]), help="How long [standard].")
@click.option("--warmup", type=click.IntRange(min=0), metavar="N", help="Untimed runs, in place of the protocol's.")
@click.option("--samples", type=click.IntRange(min=1), metavar="N", help="Timed runs, exactly so many.")
@json_option
def measure_command(artifacts: tuple[Path, ...], target_name: str, boards: int, as_json: bool, **options: Any) -> int:
    """Measure artifacts on several boards of one key at once; each board measures all of them.

    The work of a board that is lost is done by another. Exit code 1 when a result is missing all the same.

    \b
    Example:
      edgeprune boards measure build/rpi3/dense build/rpi3/pruned -t rpi3@tracker://lab:9190/rpi3 -n 4
    """
    target = find_target(target_name)
    from edgeprune.measuring.many_boards import measure_on_boards

    settings = validate(Measure, {name: value for name, value in options.items() if value is not None}, "options")
    with console_progress() as progress:
        results = measure_on_boards(artifacts, target, settings, boards=boards, progress=progress)
    rows = [result.as_dict() for result in results]
    if as_json:
        print_json(rows)
    else:
        click.echo("\n".join(map(_row, rows)))
    return int(any(row["failure"] for row in rows))


def _row(found: dict[str, Any]) -> str:
    where = f"{found['board'] or 'no board'}: {found['artifact']}:"
    if found["failure"]:
        return f"{where} failed: {found['failure']}"
    latency = found["measurement"]["latency"]
    verdicts = ", ".join(verdict["name"] for verdict in found["measurement"]["verdicts"])
    low, high = (latency["p50_interval"][end] / 1000 for end in ("low", "high"))
    figures = f"p50 {latency['p50'] / 1000:.1f} us [{low:.1f}, {high:.1f}], n = {latency['n']}"
    return f"{where} {figures}{f' ({verdicts})' if verdicts else ''}"
