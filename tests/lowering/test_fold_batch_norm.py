"""Batch normalisation goes into the weights before it, and elsewhere becomes a factor and a term."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from edgeprune.lowering import check_lowering, lower, run_onnx
from edgeprune.lowering.fold_batch_norm import fold_batch_norms
from edgeprune.target import find_target
from tests.lowering.networks import Graph, conv


def normalised(graph: Graph, data: str, channels: int, epsilon: float = 1e-5) -> str:
    variance = graph.constant(np.linspace(0.05, 3.0, channels, dtype=np.float32))
    parameters = [graph.weight(channels) for _ in range(3)]
    return graph.node("BatchNormalization", data, *parameters, variance, epsilon=epsilon)


def folded(path: Path) -> list[str]:
    model = fold_batch_norms(onnx.shape_inference.infer_shapes(onnx.load(path)))
    return [node.op_type for node in model.graph.node]


def agrees(path: Path) -> bool:
    model = fold_batch_norms(onnx.shape_inference.infer_shapes(onnx.load(path)))
    for node in model.graph.node:
        node.name = ""  # two nodes that stand for one share its name, which ONNX Runtime does not allow
    rewritten = path.with_name("folded.onnx")
    onnx.save(model, rewritten)
    inputs = [
        np.random.default_rng(3).standard_normal([size.dim_value for size in value.type.tensor_type.shape.dim])
        for value in model.graph.input
    ]
    arrays = [array.astype(np.float32) for array in inputs]
    pairs = zip(run_onnx(path, arrays), run_onnx(rewritten, arrays), strict=True)
    same = all(np.abs(left - right).max() <= 1e-5 * np.abs(left).max() for left, right in pairs)
    checked = check_lowering(lower(path, find_target("host")), path)
    return same and all(parity.relative_error <= 1e-4 for parity in checked)


@pytest.mark.parametrize("group", [1, 2, 8])
def test_behind_a_convolution(tmp_path: Path, group: int) -> None:
    graph = Graph()
    data = conv(graph, graph.input(1, 8, 6, 6), 8, 16, group=group, pads=[1, 1, 1, 1])
    path = graph.save(tmp_path / "network.onnx", graph.node("Relu", normalised(graph, data, 16, epsilon=1e-3)))
    assert folded(path) == ["Conv", "Add", "Relu"]
    assert agrees(path)
    (kernel,) = [nodes for nodes in lower(path, find_target("host")).kernel_nodes.values() if len(nodes) > 1]
    assert [name.partition("_")[0] for name in kernel] == ["conv", "batchnormalization", "relu"]


@pytest.mark.parametrize("group", [1, 2, 4])
def test_behind_a_transposed_convolution(tmp_path: Path, group: int) -> None:
    graph = Graph()
    weight = graph.weight(8, 12 // group, 3, 3)
    data = graph.node(
        "ConvTranspose", graph.input(1, 8, 5, 5), weight, graph.weight(12), group=group, strides=[2, 2], pads=[1] * 4
    )
    path = graph.save(tmp_path / "network.onnx", graph.node("Relu", normalised(graph, data, 12)))
    assert folded(path) == ["ConvTranspose", "Add", "Relu"]
    assert agrees(path)


@pytest.mark.parametrize("transposed", [0, 1])
def test_behind_a_matrix_product(tmp_path: Path, transposed: int) -> None:
    graph = Graph()
    weight = graph.weight(12, 20) if transposed else graph.weight(20, 12)
    data = graph.node("Gemm", graph.input(1, 20), weight, graph.weight(12), transB=transposed, alpha=0.5, beta=2.0)
    path = graph.save(tmp_path / "network.onnx", normalised(graph, data, 12))
    assert folded(path) == ["Gemm", "Add"]
    assert agrees(path)


def test_before_a_convolution(tmp_path: Path) -> None:
    graph = Graph()
    data = graph.node("Relu", normalised(graph, graph.input(1, 8, 6, 6), 8))
    path = graph.save(tmp_path / "network.onnx", conv(graph, data, 8, 8, pads=[1, 1, 1, 1]))
    assert folded(path) == ["Mul", "Add", "Relu", "Conv"]
    assert agrees(path)


def test_weights_whose_unnormalised_result_is_needed_too_stay_as_they_are(tmp_path: Path) -> None:
    graph = Graph()
    data = conv(graph, graph.input(1, 3, 6, 6), 3, 8)
    path = graph.save(tmp_path / "network.onnx", graph.node("Add", normalised(graph, data, 8), data))
    assert folded(path) == ["Conv", "Mul", "Add", "Add"]
    assert agrees(path)


def test_one_weight_behind_two_convolutions_is_scaled_for_each(tmp_path: Path) -> None:
    graph = Graph()
    data, weight = graph.input(1, 8, 6, 6), graph.weight(8, 8, 1, 1)
    for _ in range(2):
        data = normalised(graph, graph.node("Conv", data, weight), 8)
    path = graph.save(tmp_path / "network.onnx", data)
    assert folded(path) == ["Conv", "Add", "Conv", "Add"]
    assert agrees(path)
