"""`edgeprune tune`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from edgeprune.cli.console_progress import console_progress
from edgeprune.cli.default_verb import DefaultVerbGroup
from edgeprune.cli.options import force_option, json_option, new_directory_option, one_target_option, print_json
from edgeprune.cli.tune_records import export_command, import_command, status_command
from edgeprune.cli.whole_directory import whole_directory
from edgeprune.recipe import Tune
from edgeprune.target import find_target


class TuneGroup(DefaultVerbGroup):
    """`edgeprune tune MODEL.onnx` is short for `edgeprune tune network MODEL.onnx`."""

    default = "network"


@click.group("tune", cls=TuneGroup)
def command() -> None:
    """Search fast kernels for an ONNX file on a board (`network`, when no verb is given), and look after the records.

    \b
    Example:
      edgeprune tune model.onnx --target host --trials 128 --out tuned/
      edgeprune tune status
    """


for verb in (status_command, export_command, import_command):
    command.add_command(verb)


@command.command("network")
@click.argument("network", metavar="MODEL.onnx", type=click.Path(path_type=Path))
@one_target_option
@click.option(
    "--trials", type=click.IntRange(min=0), default=Tune().trials, show_default=True, help="Candidates to time."
)
@click.option("--seconds", type=float, default=Tune().seconds, show_default=True, help="Start none after this time.")
@click.option("--emulated", is_flag=True, help="Tune an emulated board, by estimated cycles.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the search.")
@new_directory_option
@force_option
@json_option
def network_command(
    network: Path,
    target_name: str,
    trials: int,
    seconds: float,
    emulated: bool,
    seed: int,
    out: Path,
    force: bool,
    as_json: bool,
) -> None:
    """Search fast kernels for an ONNX file on a board; `build --tuned` takes the result.

    Trials go to the database in the cache at once: an interrupted search goes on, and the same call again makes none.

    \b
    Example:
      edgeprune tune model.onnx --target host --trials 128 --out tuned/
    """
    target = find_target(target_name)
    from edgeprune.stages.lower import lower
    from edgeprune.stages.tune import RESULT, tune

    with whole_directory(out, force=force) as partial, console_progress() as progress:
        (partial / "lowered").mkdir()
        lower(network, target, partial / "lowered", progress)
        tune(
            partial / "lowered",
            target,
            Tune(trials=trials, seconds=seconds, emulated=emulated),
            seed,
            partial,
            progress,
        )
    found = json.loads((out / RESULT).read_text(encoding="utf-8"))
    if as_json:
        print_json(found)
        return
    for kernel in found["kernels"]:
        best = "-" if kernel["best_us"] is None else f"{kernel['best_us']:.2f} us"
        trial_count = kernel["trials"] + kernel["reused"]
        failed = sum(kernel["failures"].values())
        click.echo(f"{kernel['name']:<40} {trial_count:>5} trials {failed:>4} failed  best {best}")
    click.echo(found["note"] or f"times are {found['basis']}")
