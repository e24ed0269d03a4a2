"""Every verb explains itself with an example, and the list of verbs comes at once."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator

import click
import pytest

from edgeprune.cli.main import VERBS, cli, run_command


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None, name
        yield (*path, name)
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


@pytest.mark.parametrize("verb", list(commands(cli)), ids=" ".join)
def test_every_verb_shows_an_example(verb: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command([*verb, "--help"], debug=False) == 0
    shown = capsys.readouterr().out
    assert f"Example:\n    edgeprune {verb[0]}" in shown


def test_the_list_of_verbs_is_in_the_order_of_the_pipeline(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["--help"], debug=False) == 0
    shown = capsys.readouterr().out
    places = [shown.index(f"\n  {verb}") for verb in VERBS]
    assert places == sorted(places)


@pytest.mark.alone
def test_help_comes_in_under_a_third_of_a_second() -> None:
    def seconds() -> float:
        started = time.perf_counter()
        subprocess.run([sys.executable, "-m", "edgeprune", "--help"], check=True, capture_output=True)
        return time.perf_counter() - started

    assert min(seconds() for _ in range(5)) < 0.3


@pytest.mark.parametrize("heavy", ["torch", "tvm", "onnxruntime", "matplotlib", "pydantic"])
def test_the_package_and_its_help_import_nothing_heavy(heavy: str) -> None:
    script = (
        "import sys\n"
        "from edgeprune.cli.main import run_command\n"
        "run_command(['--help'], False)\n"
        "sys.exit(int(sys.argv[1] in sys.modules))"
    )
    subprocess.run([sys.executable, "-c", script, heavy], check=True, capture_output=True)
