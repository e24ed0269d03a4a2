"""Another compiler of the user's own makes other files: its version decides whether a build stands."""

from __future__ import annotations

from pathlib import Path

from edgeprune.pipeline.sequence import Run, build_stage
from edgeprune.recipe import find_recipe
from edgeprune.target import Target, find_target


def board(directory: Path) -> Target:
    path = directory / "board.toml"
    path.write_text(
        f'extends = "rpi3"\n[toolchain]\nkind = "gcc"\ntriple = "aarch64-linux-gnu"\npath = "{directory}"\n'
    )
    return find_target(str(path))


def install(directory: Path, version: str) -> None:
    for name in ("gcc", "ar"):
        program = directory / f"aarch64-linux-gnu-{name}"
        program.write_text(f"#!/bin/sh\necho '{name} {version}'\n")
        program.chmod(0o755)


def facts(target: Target) -> object:
    run = Run(find_recipe("lenet5-mnist"), (target,), Path("run"))
    return build_stage(run, target, "pruned").settings["compiler"]


def test_the_version_of_a_users_compiler_is_part_of_the_key(tmp_path: Path) -> None:
    install(tmp_path, "12.2")
    first = facts(board(tmp_path))
    assert first == {"aarch64-linux-gnu-gcc": "gcc 12.2"}
    install(tmp_path, "13.1")
    assert facts(board(tmp_path)) == {"aarch64-linux-gnu-gcc": "gcc 13.1"}


def test_a_compiler_that_is_not_there_is_left_to_the_build_to_complain_of(tmp_path: Path) -> None:
    assert "no program 'aarch64-linux-gnu-gcc'" in str(facts(board(tmp_path)))


def test_zig_is_among_the_packages() -> None:
    assert facts(find_target("rpi3")) is None
