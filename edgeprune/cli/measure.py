"""`edgeprune measure`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from edgeprune.cli.console_progress import console_progress
from edgeprune.cli.options import json_option, one_target_option, print_json
from edgeprune.errors import StageFailure
from edgeprune.recipe import Measure
from edgeprune.target import find_target


@click.command("measure")
@click.argument("artifact", metavar="ARTIFACT", type=click.Path(path_type=Path))
@one_target_option
@click.option("--against", type=click.Path(path_type=Path), metavar="OTHER", help="Time both in turns; give the ratio.")
@click.option("--warmup", type=click.IntRange(min=0), default=Measure().warmup, show_default=True, help="Untimed runs.")
@click.option("--samples", type=click.IntRange(min=1), default=Measure().samples, show_default=True, help="Timed runs.")
@json_option
def command(artifact: Path, target_name: str, against: Path | None, warmup: int, samples: int, as_json: bool) -> None:
    """Run a built artifact on its board: checked first, then timed, or counted where the board is emulated.

    \b
    Example:
      edgeprune measure runs/lenet5-mnist/build/host/dense --target host --against runs/lenet5-mnist/build/host/pruned
    """
    target = find_target(target_name)
    from edgeprune.emulation import Unavailable
    from edgeprune.measuring import compare_interleaved, measure

    with console_progress() as progress:
        if against is not None:
            outcome = compare_interleaved(artifact, against, target, warmup=warmup, progress=progress)
            if isinstance(outcome, Unavailable):
                raise StageFailure(f"{outcome.reason}; {outcome.mend}")
            found = outcome.as_dict()
        else:
            found = measure(artifact, target, Measure(warmup=warmup, samples=samples), progress=progress).as_dict()
    if as_json:
        print_json(found)
    else:
        click.echo(_comparison(found) if against is not None else _measurement(found))


def _comparison(found: dict[str, Any]) -> str:
    interval = found["ratio_interval"]
    return (
        f"first {found['first']['p50'] / 1000:.1f} us, second {found['second']['p50'] / 1000:.1f} us (medians); "
        f"first / second = {found['ratio']:.3f} [{interval['low']:.3f}, {interval['high']:.3f}] "
        f"at {interval['confidence']:.0%}, {found['rounds']} rounds in turns"
    )


def _measurement(found: dict[str, Any]) -> str:
    if found["provenance"] == "not run":
        return f"not run: {found['absent']['reason']}; {found['absent']['mend']}"
    lines = [f"check passed: largest relative error {found['check']['max_relative_error']:.1e}"]
    latency = found["latency"]
    if latency is not None:
        p50, p90 = latency["p50"] / 1000, latency["p90"] / 1000
        low, high = (latency["p50_interval"][end] / 1000 for end in ("low", "high"))
        lines.append(f"measured: p50 {p50:.1f} us [{low:.1f}, {high:.1f}], p90 {p90:.1f} us, n = {latency['n']}")
    if found["instructions"] is not None:
        lines.append(f"emulated: {found['instructions']['region']:,} instructions per inference: {_mix(found)}")
    if found["instructions_absent"] is not None:
        absent = found["instructions_absent"]
        lines.append(f"instructions not counted: {absent['reason']}; {absent['mend']}")
    if found["cycles_estimated"] is not None:
        lines.append(f"estimated: {_cycles(found['cycles_estimated'])}")
    if found["cycles_absent"] is not None and found["instructions_absent"] is None:
        absent = found["cycles_absent"]
        lines.append(f"cycles not estimated: {absent['reason']}; {absent['mend']}")
    lines += [f"verdict: {verdict['name']}: {verdict['detail']}" for verdict in found["verdicts"]]
    return "\n".join(lines)


def _mix(found: dict[str, Any]) -> str:
    counted = found["instructions"]
    shares = [f"{name} {count / counted['region']:.0%}" for name, count in counted["mix"].items() if count]
    return ", ".join(shares)


def _cycles(estimate: dict[str, Any]) -> str:
    text = (
        f"{estimate['value']:,} cycles [{estimate['low']:,}, {estimate['high']:,}] by the {estimate['model']} model of "
        f"{estimate['cpu']}"
    )
    time = estimate["milliseconds"]
    if time is None:
        return text
    return f"{text}; {time['value']:.3g} ms [{time['low']:.3g}, {time['high']:.3g}] at {time['mhz']} MHz"
