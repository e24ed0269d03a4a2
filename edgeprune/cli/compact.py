"""`edgeprune compact`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from edgeprune.cli.console_progress import console_progress
from edgeprune.cli.options import json_option, print_json
from edgeprune.cli.pipeline_verb import run_until
from edgeprune.cli.plan_table import print_plan
from edgeprune.errors import UserError


@click.command("compact")
@click.argument("source", metavar="RECIPE|MODEL.onnx")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a key of the recipe.")
@click.option(
    "--out",
    "-o",
    type=click.Path(path_type=Path),
    metavar="DIR|FILE.onnx",
    help="Run directory [runs/<recipe>]; for MODEL.onnx the file to write.",
)
@click.option("--fresh", is_flag=True, help="Forget earlier results in the run directory first.")
@json_option
def command(source: str, overrides: tuple[str, ...], out: Path | None, fresh: bool, as_json: bool) -> None:
    """Remove what is dead in a masked network: a smaller dense one that computes the same.

    RECIPE's network is trained and pruned first where that has not been done. MODEL.onnx is any ONNX file with static
    shapes; ONNX Runtime has to find the smaller one equal before it is written.

    \b
    Example:
      edgeprune compact recipes/lenet5-mnist.toml
      edgeprune compact masked.onnx --out smaller.onnx
    """
    if source.lower().endswith(".onnx"):
        place, plan = _compact_file(Path(source), overrides, out, fresh)
        where = {"file": str(place)}
    else:
        run, _ = run_until("compact", source, overrides, out, fresh)
        directory = run.root / "compact"
        plan = json.loads((directory / "plan.json").read_text(encoding="utf-8"))
        place, where = directory / "compact.safetensors", {"directory": str(directory)}
    if as_json:
        print_json({**where, "plan": plan})
        return
    print_plan(plan)
    for found in plan.get("parity", []):
        click.echo(f"{found['border']}: relative error {found['relative_error']:.2g}")
    click.echo(str(place))


def _compact_file(
    source: Path, overrides: tuple[str, ...], out: Path | None, fresh: bool
) -> tuple[Path, dict[str, Any]]:
    from edgeprune.onnx_pruning import compact_onnx

    if overrides or fresh:
        raise UserError(f"{source}: --set and --fresh are for recipes; an ONNX file has neither keys nor a run")
    if out is None:
        raise UserError(f"{source}: --out FILE.onnx is required; it names the file to write")
    if out.suffix.lower() != ".onnx":
        raise UserError(f"{out}: --out must end in .onnx when the network is an ONNX file")
    with console_progress() as progress:
        return out, compact_onnx(source, out, progress=progress).as_dict()
