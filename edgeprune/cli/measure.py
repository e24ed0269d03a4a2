"""`edgeprune measure`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from edgeprune.cli.console_progress import console_progress
from edgeprune.cli.options import json_option, one_target_option, print_json
from edgeprune.errors import StageFailure, UserError
from edgeprune.recipe import Measure
from edgeprune.target import Target, find_target
from edgeprune.toml_file import validate

# What taking turns does with its own numbers or not at all.
_NOT_IN_TURNS = ("protocol", "seconds", "cooldown", "profile")
# Of what is asked, all that an emulated board does: one inference, on so many threads.
_EMULATED = ("threads",)


@click.command("measure")
@click.argument("artifact", metavar="ARTIFACT", type=click.Path(path_type=Path))
@one_target_option
@click.option(
    "--protocol",
    type=click.Choice(["quick", "standard", "mlperf"]),
    help="How long: 100 runs; 1000 and 1 s; 1024 and 60 s [standard].",
)
@click.option("--warmup", type=click.IntRange(min=0), metavar="N", help="Untimed runs, in place of the protocol's.")
@click.option("--samples", type=click.IntRange(min=1), metavar="N", help="Timed runs, exactly so many.")
@click.option("--seconds", type=click.FloatRange(min=0), metavar="S", help="Go on for so long at least.")
@click.option("--threads", type=click.IntRange(min=1), metavar="N", help="Threads of an inference [1].")
@click.option("--affinity", metavar="CORES", help="big, little, a mask (0xF0) or a list (4-7).")
@click.option("--cooldown", metavar="S|C", help="Wait first: seconds (30), or until the board has cooled (55C).")
@click.option("--cold", is_flag=True, help="Empty the caches before every run.")
@click.option("--profile", is_flag=True, help="Show the time of every kernel.")
@click.option("--against", type=click.Path(path_type=Path), metavar="OTHER", help="Time both in turns; give the ratio.")
@click.option("--rounds", type=click.IntRange(min=2), metavar="N", help="Turns of each with --against [10].")
@json_option
def command(
    artifact: Path, target_name: str, against: Path | None, rounds: int | None, as_json: bool, **options: Any
) -> None:
    """Run a built artifact on its board: checked first, then timed, or counted where the board is emulated.

    \b
    Example:
      edgeprune measure runs/lenet5-mnist/build/host/dense --target host --against runs/lenet5-mnist/build/host/pruned
    """
    target = find_target(target_name)
    given = {name: value for name, value in options.items() if value not in (None, False)}
    useless = [f"--{name}" for name in given if name not in _EMULATED] if target.emulated else []
    if useless:
        raise UserError(
            f"{useless[0]} does nothing on {target.name}, which is emulated: one inference is counted there"
        )
    if against is not None:
        useless = [f"--{name}" for name in _NOT_IN_TURNS if name in given]
        if useless:
            raise UserError(
                f"{useless[0]} does nothing with --against, which takes turns of equal length; leave it out"
            )
        found = _take_turns(artifact, against, target, rounds or 10, given)
    elif rounds is not None:
        raise UserError("--rounds does nothing without --against; leave it out")
    else:
        found = _measure(artifact, target, given)
    if as_json:
        print_json(found)
        return
    from edgeprune.cli.measured_text import comparison_text, measurement_text

    click.echo(comparison_text(found) if against is not None else measurement_text(found, steps="profile" in given))


def _measure(artifact: Path, target: Target, given: dict[str, Any]) -> dict[str, Any]:
    from edgeprune.measuring import measure

    # The roofline needs the profile, which costs fifty more inferences; --profile only says whether it is shown.
    settings = validate(Measure, {**given, "profile": True}, "options")
    with console_progress() as progress:
        return measure(artifact, target, settings, progress=progress).as_dict()


def _take_turns(first: Path, second: Path, target: Target, rounds: int, given: dict[str, Any]) -> dict[str, Any]:
    from edgeprune.emulation import Unavailable
    from edgeprune.measuring import compare_interleaved

    settings = validate(Measure, given, "options")
    turns = {name: value for name, value in given.items() if name in ("warmup", "samples")}
    with console_progress() as progress:
        outcome = compare_interleaved(
            first, second, target, rounds=rounds, settings=settings, progress=progress, **turns
        )
    if isinstance(outcome, Unavailable):
        raise StageFailure(f"{outcome.reason}; {outcome.mend}")
    return outcome.as_dict()
