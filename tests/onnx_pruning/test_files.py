"""`edgeprune compact MODEL.onnx`: a file in, a smaller file out, or one line and nothing left behind."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

import edgeprune.onnx_pruning.compact as compact_module
from edgeprune.cli.main import run_command
from edgeprune.errors import ParityError
from edgeprune.onnx_pruning import compact_onnx
from tests.onnx_pruning.onnx_networks import Network


def live() -> Network:
    network = Network()
    hidden = network.node("Relu", [network.conv(network.input("image", 1, 1, 8, 8), "conv", 1, 4)], "relu")
    network.gemm(network.node("Flatten", [hidden], "flat"), "fc", 144, 3)
    return network


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    network = live()
    network.save(Path("live.onnx"), "fc")
    network.kill_output("conv", 2)
    network.save(Path("masked.onnx"), "fc")
    Path("corrupt.onnx").write_bytes(Path("masked.onnx").read_bytes()[:-40])
    dynamic = Network()
    dynamic.conv(dynamic.input("image", "batch", 3, 8, 8), "conv", 3, 4)
    dynamic.save(Path("dynamic.onnx"), "conv")
    Path("directory.onnx").mkdir()


def listing() -> set[str]:
    return {str(path) for path in Path().rglob("*")}


def test_the_smaller_file_computes_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["compact", "masked.onnx", "--out", "new/small.onnx", "--json"], debug=False) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["file"] == "new/small.onnx"
    plan = found["plan"]
    assert plan["layers"] == [
        {"name": "conv", "kind": "Conv", "before": 4, "after": 3, "pinned": None},
        {"name": "fc", "kind": "Gemm", "before": 3, "after": 3, "pinned": "the network's output"},
    ]
    assert plan["channels"] == {"before": 7, "after": 6}
    assert plan["parameters"] == {"before": 4 * 9 + 4 + 144 * 3 + 3, "after": 3 * 9 + 3 + 108 * 3 + 3}
    assert plan["macs"] == {"before": 4 * 9 * 36 + 144 * 3, "after": 3 * 9 * 36 + 108 * 3}
    assert plan["kept"]["conv.weight"] == {"0": [0, 1, 3]}
    assert plan["parity"][0]["relative_error"] <= 1e-5
    onnx.checker.check_model("new/small.onnx", full_check=True)
    image = np.random.default_rng(7).standard_normal((1, 1, 8, 8)).astype(np.float32)
    large, small = (
        onnxruntime.InferenceSession(name, providers=["CPUExecutionProvider"]).run(None, {"image": image})[0]
        for name in ("masked.onnx", "new/small.onnx")
    )
    assert np.abs(large - small).max() <= 1e-5 * np.abs(large).max()
    assert {path.name for path in Path("new").iterdir()} == {"small.onnx"}
    assert Path("new/small.onnx").stat().st_size < Path("masked.onnx").stat().st_size


def test_the_table_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["compact", "masked.onnx", "--out", "small.onnx"], debug=False) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["layer", "kind", "before", "after", "pinned", "because"]
    assert lines[1].split() == ["conv", "Conv", "4", "3"]
    assert "channels: 7 -> 6 (1.2x fewer)" in lines
    assert lines[-1] == "small.onnx"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["live.onnx", "--out", "o.onnx"], "live.onnx: nothing in it is dead, so there is nothing to remove; prune it"),
        (["absent.onnx", "--out", "o.onnx"], "absent.onnx: no such file: absent.onnx"),
        (["corrupt.onnx", "--out", "o.onnx"], "corrupt.onnx: not an ONNX file, or a damaged one"),
        (["directory.onnx", "--out", "o.onnx"], "directory.onnx: is a directory, an ONNX file is wanted"),
        (["dynamic.onnx", "--out", "o.onnx"], "dynamic.onnx: input image: dimension 0 (batch) is not static; export"),
        (["masked.onnx"], "masked.onnx: --out FILE.onnx is required"),
        (["masked.onnx", "--out", "run"], "run: --out must end in .onnx"),
        (["masked.onnx", "--out", "masked.onnx"], "masked.onnx: is the network itself; choose another --out"),
        (["masked.onnx", "--out", "directory.onnx"], "directory.onnx: is a directory; --out names a file"),
        (["masked.onnx", "--out", "live.onnx/o.onnx"], "live.onnx/o.onnx: cannot be written: "),
        (["masked.onnx", "--out", "o.onnx", "--set", "a=1"], "masked.onnx: --set and --fresh are for recipes"),
        (["masked.onnx", "--out", "o.onnx", "--fresh"], "masked.onnx: --set and --fresh are for recipes"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = listing()
    assert run_command(["compact", *arguments], debug=False) == 2
    assert f"error: {message}" in capsys.readouterr().err.splitlines()[-1]
    assert listing() == before


def test_outputs_that_differ_leave_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    # The removal is made wrong on purpose: every bias it keeps is doubled.
    remove = compact_module.remove_dead

    def wrong(*arguments: object, **named: object) -> object:
        smaller, plan = remove(*arguments, **named)  # type: ignore[arg-type]
        smaller.constants["fc.bias"] = smaller.constants["fc.bias"] * 2
        return smaller, plan

    monkeypatch.setattr(compact_module, "remove_dead", wrong)
    before = listing()
    with pytest.raises(ParityError, match=r"masked\.onnx \| compact: fc: outputs differ at"):
        compact_onnx(Path("masked.onnx"), Path("small.onnx"))
    assert listing() == before


def test_what_stays_for_its_border_is_told_with_the_error(capsys: pytest.CaptureFixture[str]) -> None:
    network = Network()
    network.conv(network.conv(network.input("x", 1, 1, 8, 8), "a", 1, 2), "b", 2, 2, pads=[1] * 4)
    network.weights["a.weight"][1] = 0
    network.save(Path("border.onnx"), "b")
    assert run_command(["compact", "border.onnx", "--out", "o.onnx"], debug=False) == 2
    assert "(1 constant channels stay: what they add through b.weight is not" in capsys.readouterr().err


@pytest.mark.parametrize("heavy", ["torch", "tvm"])
def test_the_package_imports_neither_torch_nor_tvm(heavy: str) -> None:
    script = "import sys, edgeprune.onnx_pruning; sys.exit(int(sys.argv[1] in sys.modules))"
    subprocess.run([sys.executable, "-c", script, heavy], check=True, capture_output=True)
