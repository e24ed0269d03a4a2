"""Golden records of large inputs cost nothing and still find a wrong kernel."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edgeprune.artifact import build_artifact
from edgeprune.artifact.bench import GoldenRecords
from edgeprune.golden_inputs import made_inputs
from edgeprune.lowering import TensorSpec, lower, read_program, schedule
from edgeprune.onnx_reference import made_records
from edgeprune.target import find_target
from tests.artifact.conftest import Built
from tests.lowering.networks import Graph, conv

Rows = NDArray[np.float32]


@pytest.fixture(scope="module")
def onnx_of_camera(tmp_path_factory: pytest.TempPathFactory) -> Path:
    graph = Graph(seed=8)
    data = conv(graph, graph.input(1, 3, 96, 96, name="image"), 3, 8, strides=[2, 2], pads=[1, 1, 1, 1])
    data = graph.node("Relu", conv(graph, graph.node("Relu", data), 8, 16, strides=[2, 2], pads=[1, 1, 1, 1]))
    data = graph.node("Flatten", graph.node("GlobalAveragePool", data))
    data = graph.node("Gemm", data, graph.weight(5, 16), graph.weight(5), transB=1)
    return graph.save(tmp_path_factory.mktemp("camera") / "camera.onnx", data)


def build(path: Path, out: Path, inputs: Rows, outputs: Rows) -> Built:
    target = find_target("host")
    program = read_program(schedule(lower(path, target), target))
    manifest = build_artifact(
        program,
        target,
        out,
        model="camera",
        variant="onnx",
        golden_inputs=inputs,
        golden_outputs=outputs,
    )
    return Built(out, manifest, program, inputs, outputs)


@pytest.fixture(scope="module")
def camera(onnx_of_camera: Path, tmp_path_factory: pytest.TempPathFactory) -> Built:
    return build(onnx_of_camera, tmp_path_factory.mktemp("built") / "artifact", *made_records(onnx_of_camera))


def check(program: Path) -> tuple[int, dict[str, object]]:
    finished = subprocess.run([program, "--check-only"], capture_output=True, text=True, check=False)
    return finished.returncode, json.loads(finished.stdout)["check"]


def test_four_records_of_110_kb_each_cost_less_than_a_kilobyte(camera: Built) -> None:
    code, found = check(camera.directory / "camera-bench")
    assert (code, found["passed"], found["golden"]) == (0, True, 4)
    assert float(str(found["max_relative_error"])) <= 1e-5
    size = camera.manifest.files["camera-bench"].bytes
    assert size <= camera.manifest.weight_bytes + 64 * 1024


def test_small_inputs_are_carried_only_if_they_cannot_be_made() -> None:
    made = np.stack([made_inputs(seed, 784) for seed in range(4)])
    outputs = np.ones((4, 10), dtype=np.float32)
    specs = {
        "input_specs": (TensorSpec("x", (1, 784), "float32"),),
        "output_specs": (TensorSpec("y", (10,), "float32"),),
    }
    assert len(GoldenRecords.of(made, outputs, 1e-4, **specs).blob()) == 4 * 10 * 4
    assert len(GoldenRecords.of(made + np.float32(0.5), outputs, 1e-4, **specs).blob()) == 4 * (784 + 10) * 4


def test_the_file_interface_and_the_built_in_inputs_agree(camera: Built, tmp_path: Path) -> None:
    source, answers = tmp_path / "in.f32", tmp_path / "out.f32"
    elements = 3 * 96 * 96
    source.write_bytes(b"".join(made_inputs(seed, elements).tobytes() for seed in range(4)))
    subprocess.run(
        [camera.directory / "camera-bench", "--input", source, "--output", answers], capture_output=True, check=True
    )
    found = np.fromfile(answers, dtype=np.float32).reshape(4, 5)
    assert np.abs(found - camera.outputs).max() <= 1e-5 * np.abs(camera.outputs).max()


def test_large_records_that_were_not_made_are_carried(onnx_of_camera: Path, camera: Built, tmp_path: Path) -> None:
    shifted = camera.inputs + np.float32(0.5)
    from edgeprune.onnx_reference import run_onnx

    outputs = run_onnx(onnx_of_camera, shifted.reshape(4, 3, 96, 96))
    built = build(onnx_of_camera, tmp_path / "artifact", shifted, outputs)
    assert check(built.directory / "camera-bench")[0] == 0
    assert built.manifest.golden_records == 1
    assert built.manifest.files["camera-bench"].bytes > camera.manifest.files["camera-bench"].bytes + 100_000


@pytest.mark.parametrize("network", ["camera", "lenet5"])
def test_one_wrong_weight_byte_is_found(network: str, camera: Built, host_artifact: Built, tmp_path: Path) -> None:
    built = camera if network == "camera" else host_artifact
    whole = (built.directory / f"{network}-bench").read_bytes()
    program = tmp_path / "damaged"
    for number, constant in enumerate(built.program.constants):
        found = 0
        for place in np.abs(constant).argsort(axis=None)[::-1][:6]:
            damaged = bytearray(whole)
            # The lowest bit of the exponent: the weight becomes twice or half of what it was.
            damaged[whole.index(constant.tobytes()) + 4 * int(place) + 2] ^= 0x80
            program.write_bytes(damaged)
            program.chmod(0o755)
            found += check(program)[0] == 3
        # A neuron that none of the records wakes hides what is behind it.
        assert found >= 3, f"constant {number}"
