"""`edgeprune tune`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from edgeprune.cli.choices_text import choices_text
from edgeprune.cli.console_progress import console_progress
from edgeprune.cli.default_verb import DefaultVerbGroup
from edgeprune.cli.options import force_option, json_option, new_directory_option, one_target_option, print_json
from edgeprune.cli.tune_records import export_command, import_command, status_command
from edgeprune.cli.whole_directory import whole_directory
from edgeprune.errors import UserError
from edgeprune.recipe import Tune
from edgeprune.target import find_target
from edgeprune.tvm_alone import import_tvm_alone

# What `edgeprune.stages.tune` writes last, named here so that a full directory is refused before TVM is loaded.
_RESULT = "tuning.json"


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
    "--trials",
    type=click.IntRange(min=0),
    default=Tune().trials,
    show_default=True,
    help="Candidates to time, those timed before included.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(min=0, min_open=True),
    default=Tune().seconds,
    show_default=True,
    help="Start none after this time.",
)
@click.option("--boards", type=click.IntRange(min=1), help="Of a tracker's boards use so many at once  [default: all]")
@click.option("--emulated", is_flag=True, help="Tune an emulated board, by estimated cycles.")
@click.option("--resume", is_flag=True, help="Go on with an earlier run's trials, or say that there are none.")
@click.option(
    "--choices/--no-choices",
    default=Tune().choices,
    show_default=True,
    help="Then measure the whole artifact with and without tuned schedules and Winograd.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the search.")
@new_directory_option
@force_option
@json_option
def network_command(
    network: Path,
    target_name: str,
    trials: int,
    seconds: float,
    boards: int | None,
    emulated: bool,
    resume: bool,
    choices: bool,
    seed: int,
    out: Path,
    force: bool,
    as_json: bool,
) -> None:
    """Search fast kernels for an ONNX file on a board; `build --tuned` takes the result.

    Trials go to the database in the cache at once: an interrupted search goes on when the same command is given again,
    and a finished one makes no further trial. --resume does the same, writes over an earlier result in the directory,
    and refuses where no trial of this network is known.

    \b
    Example:
      edgeprune tune model.onnx --target host --trials 128 --out tuned/
    """
    target = find_target(target_name)
    budget = Tune(trials=trials, seconds=seconds, emulated=emulated, boards=boards, choices=choices)
    replace = force or (resume and (out / _RESULT).is_file())
    with whole_directory(out, force=replace) as partial, console_progress() as progress:
        import_tvm_alone()
        from edgeprune.stages.lower import lower
        from edgeprune.stages.tune import known_trials, tune

        lowered = partial / "lowered"
        lowered.mkdir()
        lower(network, target, lowered, progress)
        if resume:
            known = known_trials(lowered, target)
            if not known:
                raise UserError(f"{network}: --resume: no trial of it is known for {target.name}; leave --resume out")
            progress.note(f"{known} trials of earlier runs are known")
        tune(network, lowered, target, budget, seed, partial, progress)
    found = json.loads((out / _RESULT).read_text(encoding="utf-8"))
    if as_json:
        print_json(found)
        return
    _show(found)


def _show(found: dict[str, Any]) -> None:
    width = max((len(kernel["name"]) for kernel in found["kernels"]), default=0)
    for kernel in found["kernels"]:
        best, untuned = ("-" if kernel[key] is None else f"{kernel[key]:.2f} us" for key in ("best_us", "baseline_us"))
        trials, failed = kernel["trials"] + kernel["reused"], sum(kernel["failures"].values())
        click.echo(
            f"{kernel['name']:<{width}} {trials:>5} trials {failed:>4} failed  untuned {untuned:>11}  best {best:>11}"
        )
    if found["best_us"] is not None:
        click.echo(f"{found['best_us']:.1f} us per inference in all kernels")
    click.echo(found["note"] or f"{found['trials']} trials in {found['seconds']:.0f} s; times are {found['basis']}")
    click.echo(choices_text(found["choices"]))
