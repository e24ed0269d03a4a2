"""Activations with bounds stay in the layout of the convolutions around them, and inside their kernels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgeprune.lowering import check_lowering, lower
from edgeprune.target import find_target
from tests.lowering.networks import Graph, conv

ACTIVATIONS = ("Clip", "HardSwish", "HardSigmoid", "LeakyRelu", "Max", "Max of", "Min", "Mul", "Sub", "Relu")


def activated(graph: Graph, activation: str, data: str) -> str:
    half = graph.constant(np.float32(0.5))
    if activation == "Clip":
        return graph.node("Clip", data, graph.constant(np.float32(-0.25)), half)
    if activation in ("Max", "Min", "Mul", "Sub"):
        return graph.node(activation, data, half)
    if activation == "Max of":
        return graph.node("Max", half, data)
    return graph.node(activation, data)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_no_transposition_between_two_convolutions(tmp_path: Path, activation: str) -> None:
    graph = Graph()
    data = conv(graph, graph.input(1, 3, 8, 8), 3, 8)
    data = conv(graph, activated(graph, activation, data), 8, 8)
    path = graph.save(tmp_path / "network.onnx", data, opset=14)
    lowered = lower(path, find_target("host"))
    # The first convolution reads three planes as they are.
    assert sorted("transpose" in name for name in lowered.kernel_nodes) == [False, False, True]
    assert all(parity.relative_error <= 1e-5 for parity in check_lowering(lowered, path))


@pytest.mark.filterwarnings("ignore:invalid value encountered in add")
def test_a_bound_that_is_not_a_number_bounds_nothing(tmp_path: Path) -> None:
    graph = Graph()
    data = graph.node("Add", graph.input(1, 4), graph.weight(4))
    limit = graph.node("Add", graph.constant(np.float32(np.inf)), graph.constant(np.float32(-np.inf)))
    path = graph.save(tmp_path / "network.onnx", graph.node("Clip", data, graph.constant(np.float32(0)), limit))
    assert all(parity.relative_error <= 1e-5 for parity in check_lowering(lower(path, find_target("host")), path))


def test_bounds_of_old_files_are_attributes(tmp_path: Path) -> None:
    graph = Graph()
    data = conv(graph, graph.input(1, 3, 8, 8), 3, 8)
    path = graph.save(tmp_path / "network.onnx", graph.node("Clip", data, min=0.0, max=0.5), opset=6)
    assert all(parity.relative_error <= 1e-5 for parity in check_lowering(lower(path, find_target("host")), path))


def test_the_largest_of_three(tmp_path: Path) -> None:
    graph = Graph()
    data = graph.input(1, 3, 8, 8)
    tensors = [conv(graph, data, 3, 8), conv(graph, data, 3, 8), graph.weight(8, 1, 1)]
    path = graph.save(tmp_path / "network.onnx", graph.node("Max", *tensors))
    lowered = lower(path, find_target("host"))
    assert all(parity.relative_error <= 1e-5 for parity in check_lowering(lowered, path))
