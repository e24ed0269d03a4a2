"""`edgeprune study`."""

from __future__ import annotations

from pathlib import Path

import click

from edgeprune.cli.console_progress import console_progress


@click.command("study")
@click.argument("study_name", metavar="[NAME|FILE.toml]", required=False)
@click.option("--out", "-o", type=click.Path(path_type=Path), metavar="DIR", help="Results [runs/studies/NAME].")
@click.option("--seeds", type=click.IntRange(min=1), metavar="N", help="How many seeds [as many as the study names].")
@click.option("--quick", is_flag=True, help="One seed, few samples, one epoch: see that it runs; shows nothing.")
@click.option(
    "--work",
    type=click.Path(path_type=Path),
    default=Path("runs/studies/.work"),
    show_default=True,
    metavar="DIR",
    help="Finished cells and dense networks, from which an interrupted study goes on.",
)
def command(study_name: str | None, out: Path | None, seeds: int | None, quick: bool, work: Path) -> None:
    """Compare arms of one recipe over operating points and seeds: a document, a table and a plot.

    Without a name the studies are listed. A study with import paths runs the code they name.

    \b
    Example:
      edgeprune study scope --out docs/studies/scope
    """
    from edgeprune.studies import find_study, list_studies

    if study_name is None:
        for name in list_studies():
            click.echo(f"{name:<16} {find_study(name).question}")
        return
    from edgeprune.studies.quick import quick_study
    from edgeprune.studies.run import run_study
    from edgeprune.studies.seeds import chosen_seeds
    from edgeprune.studies.write import PAGE

    study = find_study(study_name)
    if quick:
        study, seeds = quick_study(study), seeds or 1
    place = out or Path("runs/studies") / study.name
    with console_progress() as progress:
        run_study(
            study,
            seeds=chosen_seeds(study, seeds),
            out=place,
            work=work,
            command=_command(study_name, seeds, quick, out),
            progress=progress,
        )
    click.echo((place / PAGE).read_text(encoding="utf-8"), nl=False)
    click.echo(f"study: {place}")


def _command(name: str, seeds: int | None, quick: bool, out: Path | None) -> str:
    """Return the command that repeats the study; absolute places are this machine's and are left out."""
    shown = ["edgeprune study", Path(name).name if Path(name).is_absolute() else name]
    shown += [f"--seeds {seeds}"] if seeds is not None else []
    shown += ["--quick"] if quick else []
    shown += [f"--out {out}"] if out is not None and not out.is_absolute() else []
    return " ".join(shown)
