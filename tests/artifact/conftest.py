"""Artifacts built once for all tests: a small LeNet-5 with odd channel counts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edgeprune.artifact import Manifest, build_artifact
from edgeprune.lowering import lower, read_program, run_onnx, schedule
from edgeprune.lowering.program import Program
from edgeprune.stages.golden import tolerance_on
from edgeprune.target import find_target
from tests.lowering.networks import lenet5

Rows = NDArray[np.float32]


@dataclass(frozen=True)
class Built:
    """An artifact, the network it was built from, and records of which it carries the first four."""

    directory: Path
    manifest: Manifest
    program: Program
    inputs: Rows
    outputs: Rows


def records(onnx_path: Path, program: Program, count: int) -> tuple[Rows, Rows]:
    """Return seeded inputs and ONNX Runtime's outputs, one record per row."""
    generator = np.random.default_rng(11)
    inputs, outputs = [], []
    for _ in range(count):
        tensors = [generator.standard_normal(spec.shape).astype(np.float32) for spec in program.inputs]
        inputs.append(np.concatenate([tensor.ravel() for tensor in tensors]))
        outputs.append(np.concatenate([tensor.ravel() for tensor in run_onnx(onnx_path, tensors)]))
    return np.stack(inputs), np.stack(outputs)


def build(
    onnx_path: Path, target_name: str, out: Path, *, model: str = "lenet5", threads: int = 1, **options: bool | float
) -> Built:
    target = find_target(target_name).model_copy(update={"threads": threads})
    program = read_program(schedule(lower(onnx_path, target), target))
    inputs, outputs = records(onnx_path, program, 4)
    manifest = build_artifact(
        program,
        target,
        out,
        model=model,
        variant="pruned",
        golden_inputs=inputs,
        golden_outputs=outputs,
        tolerance=tolerance_on(target),
        **options,
    )
    return Built(out, manifest, program, inputs, outputs)


@pytest.fixture(scope="session")
def onnx_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lenet5(tmp_path_factory.mktemp("onnx") / "lenet5.onnx", first=5, second=13, hidden=31)


@pytest.fixture(scope="session")
def host_artifact(onnx_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Built:
    return build(onnx_path, "host", tmp_path_factory.mktemp("host") / "artifact")


@pytest.fixture(scope="session")
def built_for(onnx_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Built]:
    """Return artifacts by target name, each built once."""
    known: dict[str, Built] = {}

    def get(target_name: str) -> Built:
        if target_name not in known:
            known[target_name] = build(onnx_path, target_name, tmp_path_factory.mktemp(target_name) / "artifact")
        return known[target_name]

    return get
