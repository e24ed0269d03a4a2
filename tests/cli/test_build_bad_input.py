"""`edgeprune build` refuses what it cannot compile in one line, and leaves nothing half made."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edgeprune.cli.main import run_command
from tests.lowering.networks import Graph, conv, lenet5

EXTENDS = 'extends = "cortex-a7"\ndescription = "a board"\n'


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a directory with networks and targets, each wrong in one way."""
    monkeypatch.chdir(tmp_path)
    lenet5(Path("good.onnx"), first=4, second=8, hidden=20)
    graph = Graph()
    graph.save(Path("dynamic.onnx"), conv(graph, graph.input("batch", 3, 8, 8, name="image"), 3, 4))
    graph = Graph()
    graph.save(Path("unknown.onnx"), graph.node("Det", graph.input(3, 3)), shapes=[[]])
    for name, value in (("nan", np.nan), ("infinite", np.inf), ("overflowing", 3e38)):
        graph = Graph()
        weight = np.ones((4, 2), dtype=np.float32)
        weight[1, 1] = value
        graph.save(Path(f"{name}.onnx"), graph.node("MatMul", graph.input(1, 4), graph.constant(weight)))
    graph = Graph()
    graph.save(Path("large.onnx"), graph.node("MatMul", graph.input(1, 512), graph.weight(512, 1024)))
    Path("corrupt.onnx").write_bytes(Path("good.onnx").read_bytes()[:-50])
    Path("soft.toml").write_text(EXTENDS + '[cpu]\nfloat_abi = "soft"\n')
    Path("soft64.toml").write_text('extends = "rpi3"\n[cpu]\nfloat_abi = "soft"\n')
    Path("small.toml").write_text("memory_mib = 1\n" + EXTENDS)
    Path("linker.toml").write_text(
        EXTENDS + '[toolchain]\nkind = "gcc"\ntriple = "arm-nowhere-linux-gnueabihf"\ncpu = "cortex-a7"\n'
    )
    Path("file").write_text("dear to somebody")
    Path("full").mkdir()
    (Path("full") / "thesis.tex").write_text("dear to somebody")


def listing() -> set[str]:
    return {str(path) for path in Path().rglob("*")}


@pytest.mark.parametrize(
    ("network", "target", "out", "message"),
    [
        ("absent.onnx", "rpi3", "out", "absent.onnx: no such file: absent.onnx"),
        ("dynamic.onnx", "rpi3", "out", "dynamic.onnx: input image: dimension 0 (batch) is not static; export with"),
        ("unknown.onnx", "rpi3", "out", "unknown.onnx: node det_1: operator Det is not supported"),
        ("corrupt.onnx", "rpi3", "out", "corrupt.onnx: not an ONNX file, or a damaged one"),
        ("nan.onnx", "rpi3", "out", "nan.onnx: initializer w1: NaN at (1, 1); the training diverged"),
        (
            "infinite.onnx",
            "rpi3",
            "out",
            "infinite.onnx: the network's answers are not finite: initializer w1 is infinite at (1, 1)",
        ),
        (
            "overflowing.onnx",
            "rpi3",
            "out",
            "overflowing.onnx: the network's answers are not finite: its values outgrow float32",
        ),
        ("good.onnx", "soft.toml", "out", "target soft: cpu.float_abi: 'hard' is wanted, because toolchain.triple is"),
        (
            "good.onnx",
            "soft64.toml",
            "out",
            "target soft64: cpu.float_abi does nothing when cpu.isa is 'aarch64'; remove",
        ),
        ("large.onnx", "small.toml", "out", "target small: the network needs 2 MiB for weights and arena, the board"),
        (
            "good.onnx",
            "linker.toml",
            "out",
            "target linker: toolchain.kind: no program 'arm-nowhere-linux-gnueabihf-gcc'",
        ),
        ("good.onnx", "rpi3", "file", "file: is a file; --out names a directory"),
        ("good.onnx", "rpi3", "full", "full: holds something already; --force replaces it"),
        ("good.onnx", "rpi3", "file/out", "file/out: cannot be written: "),
        ("good.onnx", "rpi3", "/proc/out", "/proc/out: cannot be written: "),
    ],
)
def test_a_refusal(capsys: pytest.CaptureFixture[str], network: str, target: str, out: str, message: str) -> None:
    before = listing()
    assert run_command(["build", network, "--target", target, "--out", out], debug=False) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert line.removeprefix("error: ").startswith(message)
    assert listing() == before


@pytest.mark.slow
def test_a_full_disk(tmp_path: Path) -> None:
    """A limit on the size of files stands in for it: both end in an error of the write."""
    before = listing()
    finished = subprocess.run(
        [sys.executable, "-m", "edgeprune", "build", "good.onnx", "--target", "rpi3", "--out", "out"],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 1
    last = finished.stderr.splitlines()[-1]
    assert last.startswith("error: ") and last.endswith("/module.json: cannot be written: File too large")
    assert listing() == before
