"""Every wrong input a user can type into a recipe, a target or the command line gives one line and exit code 2."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgeprune.cli.main import run_command

RECIPE = """\
name = "tiny"
description = "A tiny recipe"
[model]
factory = "edgeprune.models.lenet5:lenet5"
input_shape = [1, 28, 28]
[data]
source = "mnist"
validation = 100
[train]
epochs = 1
[prune]
amount = 0.5
[retrain]
epochs = 1
"""

TARGET = """\
description = "A board"
transport = "local"
[cpu]
isa = "aarch64"
triple = "aarch64-linux-gnu"
name = "cortex-a53"
[[cores]]
kind = "cortex-a53"
count = 4
[toolchain]
triple = "aarch64-linux-musl"
shared_triple = "aarch64-linux-gnu.2.28"
cpu = "cortex_a53"
"""

CRITERIA = (
    "'l1', 'l2', 'han', 'bn-scale', 'taylor', 'activation-mean', 'apoz', "
    "'geometric-median' or 'random', or file.py:callable"
)


@pytest.fixture(autouse=True)
def in_an_empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def refused(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    """Return the one line of a command that must be refused with exit code 2."""
    assert run_command([*argv], debug=False) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1
    return captured.err.removeprefix("error: ").rstrip("\n")


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("epochs = 1", "epoch = 1", "train.epoch: unknown key; did you mean 'epochs'?"),
        ("epochs = 1", 'epochs = "1"', "train.epochs: input should be a valid integer, not '1'"),
        ("epochs = 1", "epochs = -1", "train.epochs: input should be greater than or equal to 0, not -1"),
        ("epochs = 1", "epochs = true", "train.epochs: input should be a valid integer, not True"),
        ("amount = 0.5", "amount = 1.5", "prune.amount: input should be less than 1, not 1.5"),
        ("amount = 0.5", "amount = 0", "prune.amount: input should be greater than 0, not 0"),
        ("amount = 0.5", "amount = nan", "prune.amount: input should be less than 1, not nan"),
        (
            "amount = 0.5",
            'amount = 0.5\ncriterion = "l3"',
            f"prune.criterion: input should be {CRITERIA}, not 'l3'",
        ),
        (
            "amount = 0.5",
            'amount = 0.5\nevery = "step"',
            "prune.every: write 'round', 'epoch' or a number of steps, not 'step'",
        ),
        (
            "amount = 0.5",
            "amount = 0.5\nevery = 0",
            "prune.every: write 'round', 'epoch' or a number of steps, not 0",
        ),
        (
            "amount = 0.5",
            'amount = 0.5\nschedule = "linear"',
            "prune.schedule: input should be 'one-shot', 'iterative' or 'cubic', or file.py:callable, not 'linear'",
        ),
        (
            "amount = 0.5",
            "amount = 0.5\nround_to = 0",
            "prune.round_to: input should be greater than or equal to 1, not 0",
        ),
        ("[prune]\namount = 0.5\n", "", "prune: this key is required"),
        (
            "amount = 0.5",
            'amount = 0.5\ngranularity = "weight"\nround_to = 4',
            "prune: round_to does nothing when granularity is 'weight'; remove it",
        ),
        (
            "amount = 0.5",
            'amount = 0.5\nschedule = "one-shot"\nrounds = 3',
            "prune: rounds is 1 when schedule is 'one-shot'; remove it",
        ),
        (
            "[train]\nepochs = 1",
            '[train]\nepochs = 1\noptimizer = "adam"\nmomentum = 0.5',
            "train: momentum does nothing when optimizer is 'adam'; remove it",
        ),
        ('name = "tiny"\n', "", "name: this key is required"),
        ('name = "tiny"', 'name = "Tiny Net"', "name: lower-case letters, digits and dashes only, not 'Tiny Net'"),
        (
            '"mnist"',
            '"cifar"',
            "data.source: input should be 'mnist', 'fashion-mnist', 'folder', 'npz' or 'import', not 'cifar'",
        ),
        ('"mnist"', '"folder"', "data: path is required when source is 'folder'"),
        ('"mnist"', '"import"', "data: factory is required when source is 'import'"),
        ('"mnist"', '"mnist"\npath = "x"', "data: path does nothing when source is 'mnist'; remove it"),
        ("[1, 28, 28]", "[1, 0, 28]", "model: input_shape must hold positive sizes, not [1, 0, 28]"),
        (
            "lenet5:lenet5",
            "lenet5",
            "model.factory: write it as package.module:callable or path/to/file.py:callable, "
            "not 'edgeprune.models.lenet5'",
        ),
        (
            "[prune]\namount = 0.5",
            '[prune]\namount = 0.5\n[[prune.override]]\npattern = "x"\namount = 2.0',
            "prune.override.0.amount: input should be less than 1, not 2.0",
        ),
        ("[retrain]", "[tunes]\n[retrain]", "tunes: unknown key; did you mean 'tune'?"),
        (
            "[retrain]",
            "[tune]\ntrials = -1\n[retrain]",
            "tune.trials: input should be greater than or equal to 0, not -1",
        ),
        ('name = "tiny"', "name = = 3", "not valid TOML: Invalid value (at line 1, column 8)"),
    ],
)
def test_recipe(capsys: pytest.CaptureFixture[str], before: str, after: str, message: str) -> None:
    assert before in RECIPE
    Path("bad.toml").write_text(RECIPE.replace(before, after, 1))
    assert refused(capsys, "recipes", "show", "bad.toml") == f"bad.toml: {message}"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("tune", "--set 'tune': write it as key=value, for example --set tune.trials=16"),
        ("=3", "--set '=3': write it as key=value, for example --set tune.trials=16"),
        ("name.x=2", "--set 'name.x=2': name is not a table"),
        ("tune.trials=x", "good.toml (with --set): tune.trials: input should be a valid integer, not 'x'"),
        ("tune.trails=3", "good.toml (with --set): tune.trails: unknown key; did you mean 'trials'?"),
        ("prune.override=3", "good.toml (with --set): prune.override: input should be a valid list, not 3"),
        ("train=3", "good.toml (with --set): train: a table is wanted, not 3"),
    ],
)
def test_override(capsys: pytest.CaptureFixture[str], override: str, message: str) -> None:
    Path("good.toml").write_text(RECIPE)
    assert refused(capsys, "recipes", "show", "good.toml", "--set", override) == message


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (
            'isa = "aarch64"',
            'isa = "risc"',
            "cpu.isa: input should be 'x86_64', 'aarch64', 'armv7' or 'native', not 'risc'",
        ),
        ("count = 4", "count = 0", "cores.0.count: input should be greater than or equal to 1, not 0"),
        ('"local"', '"qemu"', "emulator: required because transport is 'qemu'"),
        ("[toolchain]", "[toolchains]", "toolchains: unknown key; did you mean 'toolchain'?"),
        ('description = "A board"', 'name = "x"', "name: the file's name is the target's name; remove this key"),
        ('description = "A board"', 'extends = "bad"', "extends: the chain bad -> bad never ends"),
        ('description = "A board"', "extends = 3", "extends: a target's name is wanted, not 3"),
    ],
)
def test_target(capsys: pytest.CaptureFixture[str], before: str, after: str, message: str) -> None:
    assert before in TARGET
    Path("bad.toml").write_text(TARGET.replace(before, after, 1))
    assert refused(capsys, "targets", "show", "bad.toml") == f"bad.toml: {message}"


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["recipes", "show", "nope.toml"], "nope.toml: no such file"),
        (["targets", "show", "nope.toml"], "nope.toml: no such file"),
        (["targets", "show", "rpy3"], "target 'rpy3': no such target; did you mean rpi3"),
        (["recipes", "show", "lenet5-mnits"], "recipe 'lenet5-mnits': no such recipe; did you mean lenet5-mnist"),
        (["run", "nope.toml", "-t", "host"], "nope.toml: no such file"),
        (["run", "good.toml", "-t", "hots"], "target 'hots': no such target; did you mean host"),
        (["train", "good.toml", "--out", "good.toml"], "good.toml: cannot be used as a run directory: File exists"),
        (["train", "good.toml", "--out", "mine", "--fresh"], "mine: --fresh: not a run directory"),
    ],
)
def test_command_line(capsys: pytest.CaptureFixture[str], argv: list[str], message: str) -> None:
    Path("good.toml").write_text(RECIPE)
    Path("mine").mkdir()
    (Path("mine") / "thesis.tex").write_text("dear to somebody")
    assert refused(capsys, *argv).startswith(message)
    assert (Path("mine") / "thesis.tex").read_text() == "dear to somebody"


@pytest.mark.parametrize("argv", [["bogus"], ["run", "--bogus"], ["run"], ["data", "fetch", "imagenet"]])
def test_usage(capsys: pytest.CaptureFixture[str], argv: list[str]) -> None:
    assert run_command(argv, debug=False) == 2
    assert capsys.readouterr().err.startswith("Usage: edgeprune")
