"""Benchmark executables linked by zig from the shipped C sources and a tiny hand-written model."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from edgeprune.measuring import BENCH_INCLUDE, BENCH_SOURCES
from edgeprune.target import find_target
from edgeprune.toolchain import ZigToolchain

Link = Callable[..., Path]
MODEL = Path(__file__).with_name("fixture_model.c")
STRICT = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic")
MANIFEST = {
    "format": 1,
    "model": "tiny",
    "inputs": [
        {"name": "x", "shape": [1, 3], "dtype": "float32"},
        {"name": "b", "shape": [1, 1], "dtype": "float32"},
    ],
    "outputs": [{"name": "y", "shape": [1, 3], "dtype": "float32"}],
    "precision": "float32",
    "steps": [
        {"kernel": "double", "onnx_nodes": ["mul"], "macs": 0, "flop": 3, "bytes": 24},
        {"kernel": "add", "onnx_nodes": ["add", "relu"], "macs": 0, "flop": 3, "bytes": 28},
    ],
}


@pytest.fixture(scope="session")
def link(tmp_path_factory: pytest.TempPathFactory) -> Link:
    """Return a function that makes an artifact directory for a target with the given macros defined."""
    made: dict[tuple[str, ...], Path] = {}

    def build(target: str, *macros: str, variant: str = "dense") -> Path:
        key = (target, variant, *macros)
        if key not in made:
            made[key] = _link(tmp_path_factory.mktemp(target), target, macros, variant)
        return made[key]

    return build


def _link(directory: Path, target: str, macros: tuple[str, ...], variant: str) -> Path:
    toolchain = ZigToolchain.for_target(find_target(target))
    defines = [f"-D{macro}" for macro in macros]
    flags = ["-O2", *STRICT, "-ffunction-sections", "-I", str(BENCH_INCLUDE), *defines]
    toolchain.compile_together([*BENCH_SOURCES, MODEL], directory / "bench.o", flags)
    toolchain.link_executable([directory / "bench.o"], directory / "tiny-bench", ["-O2", "-s", "-Wl,--gc-sections"])
    (directory / "manifest.json").write_text(json.dumps(MANIFEST | {"variant": variant, "target": target}))
    return directory
