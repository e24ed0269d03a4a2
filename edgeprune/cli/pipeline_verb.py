"""What the verbs that run a recipe up to some phase have in common."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import click

from edgeprune.cli.console_progress import console_progress
from edgeprune.cli.options import open_recipe
from edgeprune.errors import UserError
from edgeprune.pipeline.run import Phase, run_pipeline
from edgeprune.pipeline.sequence import Run
from edgeprune.pipeline.stage import StageResult
from edgeprune.target import find_target


def run_until(
    phase: Phase,
    recipe_name: str,
    overrides: Sequence[str],
    out: Path | None,
    fresh: bool,
    target_names: Sequence[str] = (),
) -> tuple[Run, tuple[StageResult, ...]]:
    """Run the recipe up to ``phase`` and say which stages did work."""
    recipe, root = open_recipe(recipe_name, overrides, out)
    targets = tuple(find_target(name) for name in dict.fromkeys(target_names))
    run = Run(recipe, targets, root)
    if fresh:
        _forget(root)
    with console_progress() as progress:
        results = run_pipeline(run, progress, until=phase)
    click.echo(_summary(results), err=True)
    return run, results


def _forget(root: Path) -> None:
    if not root.exists():
        return
    if not (root / ".lock").is_file():
        raise UserError(f"{root}: --fresh: not a run directory (nothing of edgeprune's lies there); it is left alone")
    for entry in root.iterdir():
        if entry.is_dir():
            shutil.rmtree(entry)


def _summary(results: Sequence[StageResult]) -> str:
    ran = [result.name for result in results if result.ran]
    if not ran:
        return f"nothing to do: all {len(results)} stages stand as they are"
    seconds = sum(result.seconds for result in results if result.ran)
    kept = len(results) - len(ran)
    return f"{len(ran)} stages computed in {seconds:.0f} s, {kept} kept: {', '.join(ran)}"
