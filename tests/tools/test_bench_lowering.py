"""The tool that counts which networks become artifacts: its rows, and that they are not made twice."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

TOOLS = Path(__file__).parents[2] / "tools"
sys.path.insert(0, str(TOOLS))

from lowering_bench.network import calibrate  # noqa: E402
from lowering_bench.reference import rounding_explains  # noqa: E402
from lowering_bench.report import agrees, markdown, total  # noqa: E402
from lowering_bench.zoos import ZOOS  # noqa: E402

BUILT = {"input": [3, 8, 8], "parameters": 10, "nodes": 2, "kernels": 1, "arena_bytes": 100, "arena_bound_bytes": 100}
GOOD = {
    **BUILT,
    "stage": "check",
    "error": 2e-7,
    "seconds": {"export": 1.0, "build": 2.0},
    "build_peak_mib": 300,
    "build_cpu_s": 2.4,
    "exact": {"ours": 3e-7, "onnxruntime": 4e-7},
}
WRONG = {**BUILT, "stage": "build", "build_cpu_s": 2.0, "failed": {"stage": "check", "message": "1 off"}}


def test_only_a_network_that_passed_its_check_agrees() -> None:
    assert agrees(GOOD)
    assert not agrees(WRONG)
    assert not agrees({})
    assert total("zoo", {"good": GOOD, "bad": WRONG}) == "zoo: 1 of 2 agree, at most 2.0e-07 off; others: bad"


def test_the_tables_name_what_failed() -> None:
    text = markdown({"zoo": {"good": GOOD, "bad": WRONG}})
    assert "| zoo | 2 | 2 | 1 | 2.0e-07 | 0.0 % |" in text
    assert "| zoo/good | 3x8x8 | 0.00 M | 2 | 1 | 2.0e-07 | 3.0e-07 | 4.0e-07 | 2 | 300 |" in text
    assert "| zoo/bad | 3x8x8 | 0.00 M | 2 | 1 | failed at check |  |  | 2 |  |" in text
    assert text.endswith("\n- zoo/bad: check: 1 off\n")


@pytest.mark.parametrize("zoo", ["tiny", "built-in"])
def test_every_network_has_a_shape_that_it_takes(zoo: str) -> None:
    for name in ZOOS[zoo].names():
        shape, settings = ZOOS[zoo].shape(name)
        assert len(shape) in (1, 3) and settings == {}
        assert ZOOS[zoo].factory(name, settings) is not None


@pytest.mark.slow
def test_a_network_is_built_and_checked_and_a_refusal_is_a_row(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    command = [sys.executable, str(TOOLS / "bench_lowering.py"), "--zoo", "built-in", "--json", str(out)]
    environment = {**os.environ, "PYTHONPATH": str(TOOLS.parent)}
    first = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert first.returncode == 1, first.stderr  # one of the two has an operator that is not supported
    rows = json.loads(out.read_text())["rows"]["built-in"]
    assert rows["plain"]["stage"] == "check" and rows["plain"]["error"] <= 1e-5
    assert 0 < rows["plain"]["exact"]["ours"] <= 1e-5 and 0 < rows["plain"]["exact"]["onnxruntime"] <= 1e-5
    assert rows["plain"]["nodes"] == len(rows["plain"]["operators"]) == 5
    assert rows["refused"]["failed"] == {
        "stage": "build",
        "message": "exit code 2: error: network.onnx: node n0: operator Det is not supported",
    }
    stamp = out.read_text()
    again = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert again.returncode == 1 and out.read_text() == stamp  # nothing was made again
    other = subprocess.run([*command, "--target", "rpi3"], capture_output=True, text=True, check=False, env=environment)
    assert other.returncode == 1 and "has rows for target host; name another file" in other.stderr


@pytest.mark.parametrize(
    ("ours", "onnxruntime", "explained"), [(3e-4, 2e-4, True), (5e-4, 2e-4, False), (2e-2, 2e-2, False)]
)
def test_how_much_rounding_explains(ours: float, onnxruntime: float, explained: bool) -> None:
    assert rounding_explains(ours, onnxruntime) is explained


def test_calibrated_statistics_are_those_of_the_images() -> None:
    torch.manual_seed(1)
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    calibrate(network, (3, 8, 8))
    images = 4 * torch.rand(16, 3, 8, 8, generator=torch.Generator().manual_seed(0)) - 2
    assert not network[1].training
    assert network(images).mean((0, 2, 3)).abs().max() <= 1e-5
    assert network(images).var((0, 2, 3)).sub(1).abs().max() <= 1e-2
