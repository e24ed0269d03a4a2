"""Every family of operators computes what ONNX Runtime computes, as fused kernels and as scheduled ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgeprune.lowering import check_lowering, lower, read_program, schedule
from edgeprune.target import find_target
from tests.lowering.networks import FAMILIES, Graph, conv, make


@pytest.mark.parametrize("family", FAMILIES)
def test_scheduled_kernels_agree_with_onnxruntime(family: str, tmp_path: Path) -> None:
    path = make(family, tmp_path / "network.onnx")
    target = find_target("host")
    scheduled = schedule(lower(path, target), target)
    assert [parity.relative_error <= 1e-4 for parity in check_lowering(scheduled, path)] == [True] * len(
        scheduled.outputs
    )
    assert len(read_program(scheduled).outputs) == len(scheduled.outputs)


def test_weights_kept_in_integers_become_float32(tmp_path: Path) -> None:
    graph = Graph()
    weight = graph.constant(np.arange(-40, 32, dtype=np.int8).reshape(8, 1, 3, 3))
    scales = graph.constant(np.linspace(0.01, 0.08, 8, dtype=np.float32))
    kernel = graph.node("DequantizeLinear", weight, scales, graph.constant(np.zeros(8, dtype=np.int8)), axis=0)
    path = graph.save(tmp_path / "network.onnx", graph.node("Conv", graph.input(1, 1, 6, 6), kernel))
    target = find_target("host")
    scheduled = schedule(lower(path, target), target)
    assert [parity.relative_error <= 1e-4 for parity in check_lowering(scheduled, path)] == [True]
    assert read_program(scheduled).weight_bytes == 4 * 8 * 9


def test_an_axis_squeezed_from_the_end(tmp_path: Path) -> None:
    graph = Graph()
    rows = graph.node("Unsqueeze", conv(graph, graph.input(1, 3, 5, 6), 3, 4, 1), graph.integers(-2))
    products = graph.node("MatMul", rows, graph.weight(1, 1, 1, 6, 7))
    path = graph.save(tmp_path / "network.onnx", graph.node("Squeeze", products, graph.integers(-2)))
    target = find_target("host")
    scheduled = schedule(lower(path, target), target)
    assert [parity.relative_error <= 1e-4 for parity in check_lowering(scheduled, path)] == [True]


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_kernels_without_a_schedule_agree_with_onnxruntime(family: str, tmp_path: Path) -> None:
    path = make(family, tmp_path / "network.onnx")
    lowered = lower(path, find_target("host"))
    assert all(parity.relative_error <= 1e-4 for parity in check_lowering(lowered, path))


@pytest.mark.slow
@pytest.mark.parametrize("target_name", ["aarch64", "cortex-a7"])
@pytest.mark.parametrize("family", FAMILIES)
def test_schedules_for_arm_agree_with_onnxruntime(family: str, target_name: str, tmp_path: Path) -> None:
    path = make(family, tmp_path / "network.onnx")
    target = find_target(target_name)
    scheduled = schedule(lower(path, target), target)
    assert all(parity.relative_error <= 1e-4 for parity in check_lowering(scheduled, path))
