"""`edgeprune recipes`."""

from __future__ import annotations

import click

from edgeprune.cli.options import json_option, print_json, set_option
from edgeprune.recipe import find_recipe, list_recipes


@click.group("recipes")
def command() -> None:
    """List and show recipes: those in ./recipes and those that come with edgeprune.

    \b
    Example:
      edgeprune recipes list
    """


@command.command("list")
@json_option
def list_command(as_json: bool) -> None:
    """List the recipes with their descriptions.

    \b
    Example:
      edgeprune recipes list --json
    """
    rows = {name: find_recipe(str(path)).description for name, path in list_recipes().items()}
    if as_json:
        print_json(rows)
        return
    for name, description in rows.items():
        click.echo(f"{name:<18} {description}")


@command.command("show")
@click.argument("name")
@set_option
def show_command(name: str, overrides: tuple[str, ...]) -> None:
    """Print a recipe with every default filled in, as JSON.

    \b
    Example:
      edgeprune recipes show lenet5-mnist --set tune.trials=16
    """
    print_json(find_recipe(name, overrides).model_dump(mode="json"))
