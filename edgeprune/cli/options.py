"""Options that several verbs share."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from edgeprune.recipe import Recipe, find_recipe

Function = TypeVar("Function", bound=Callable[..., Any])

json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON on standard output.")
target_option = click.option(
    "--target", "-t", "target_names", multiple=True, metavar="NAME", help="Board; may be repeated."
)
set_option = click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a key of the recipe; KEY= takes it out."
)
one_target_option = click.option("--target", "-t", "target_name", required=True, metavar="NAME", help="Board.")
new_directory_option = click.option(
    "--out", "-o", required=True, type=click.Path(path_type=Path), metavar="DIR", help="Directory to write."
)
force_option = click.option("--force", is_flag=True, help="Replace what lies in the output directory.")


def recipe_arguments(function: Function) -> Function:
    """Add RECIPE, ``--set``, ``--out`` and ``--fresh`` to a verb that works in a run directory."""
    for decorate in (
        click.option("--fresh", is_flag=True, help="Forget earlier results in the run directory first."),
        click.option(
            "--out", "-o", type=click.Path(path_type=Path), metavar="DIR", help="Run directory [runs/<recipe>]."
        ),
        set_option,
        click.argument("recipe_name", metavar="RECIPE"),
    ):
        function = decorate(function)
    return function


def open_recipe(recipe_name: str, overrides: Sequence[str], out: Path | None) -> tuple[Recipe, Path]:
    """Return the recipe and its run directory."""
    recipe = find_recipe(recipe_name, overrides)
    return recipe, out or Path("runs") / recipe.name


def print_json(value: Any) -> None:
    """Print a JSON document on standard output."""
    click.echo(json.dumps(value, indent=2, sort_keys=True))
