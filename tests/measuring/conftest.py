"""Benchmark executables linked by zig from the shipped C sources and a tiny hand-written model."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from edgeprune.cache import cache_directory
from edgeprune.measuring import BENCH_INCLUDE, BENCH_MAIN

Link = Callable[..., Path]
MODEL = Path(__file__).with_name("fixture_model.c")
STRICT = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic")
TOOLCHAIN = {
    "host": ("-target", "x86_64-linux-musl"),
    "rpi3": ("-target", "aarch64-linux-musl"),
    "cortex-a7": ("-target", "arm-linux-musleabihf", "-mcpu=cortex_a7"),
}
MANIFEST = {
    "format": 1,
    "model": "tiny",
    "inputs": [
        {"name": "x", "shape": [1, 3], "dtype": "float32"},
        {"name": "b", "shape": [1, 1], "dtype": "float32"},
    ],
    "outputs": [{"name": "y", "shape": [1, 3], "dtype": "float32"}],
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
    sources = ["-I", str(BENCH_INCLUDE), str(BENCH_MAIN), str(MODEL)]
    options = ["-O2", "-static", "-s", *(f"-D{macro}" for macro in macros), "-o", str(directory / "tiny-bench")]
    subprocess.run(
        [sys.executable, "-m", "ziglang", "cc", *TOOLCHAIN[target], *STRICT, *sources, *options],
        env=os.environ | {"ZIG_GLOBAL_CACHE_DIR": str(cache_directory("zig"))},
        check=True,
    )
    (directory / "manifest.json").write_text(json.dumps(MANIFEST | {"variant": variant, "target": target}))
    return directory
