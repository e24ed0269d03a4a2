"""Every kernel names the ONNX nodes it computes."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest

from edgeprune.lowering import KernelCall, lower, read_program, schedule
from edgeprune.target import find_target
from tests.lowering.networks import FAMILIES, Graph, conv, lenet5, make


def nodes_in_order(path: Path, target_name: str = "host") -> list[tuple[str, ...]]:
    target = find_target(target_name)
    program = read_program(schedule(lower(path, target), target))
    return [program.kernel_nodes[step.kernel] for step in program.steps if isinstance(step, KernelCall)]


def test_lenet5(tmp_path: Path) -> None:
    assert nodes_in_order(lenet5(tmp_path / "network.onnx")) == [
        ("conv_3",),
        ("maxpool_4",),
        ("conv_7",),
        ("maxpool_8",),
        ("flatten_9",),
        ("gemm_12", "relu_13"),
        ("gemm_16",),
    ]


def test_a_residual_network_with_kernels_for_layout_alone(tmp_path: Path) -> None:
    assert nodes_in_order(make("residual", tmp_path / "network.onnx")) == [
        ("conv_3",),
        ("conv_6", "relu_7"),
        ("conv_10", "add_11", "relu_12"),
        ("conv_15",),
        ("concat_16", "split_18", "concat_19"),
    ]


def test_equal_calls_on_different_weights_are_told_apart(tmp_path: Path) -> None:
    graph = Graph()
    data = graph.input(1, 8, 6, 6)
    for _ in range(2):
        data = graph.node("Relu", conv(graph, data, 8, 8, pads=[1, 1, 1, 1]))
    path = graph.save(tmp_path / "network.onnx", graph.node("GlobalAveragePool", data))
    convolutions = nodes_in_order(path)[1:3]
    # Both calls share one kernel, which names the nodes of both.
    assert convolutions == [("conv_3", "relu_4", "conv_7", "relu_8")] * 2


def test_a_node_without_a_name_goes_by_its_output(tmp_path: Path) -> None:
    path = make("dense", tmp_path / "network.onnx")
    model = onnx.load(path)
    for node in model.graph.node:
        node.name = ""
    path.write_bytes(model.SerializeToString())
    assert ("gemm3_0", "relu4_0") in nodes_in_order(path)


@pytest.mark.parametrize("family", FAMILIES)
def test_no_kernel_is_without_a_node_and_no_node_is_invented(family: str, tmp_path: Path) -> None:
    path = make(family, tmp_path / "network.onnx")
    known = {node.name for node in onnx.load(path).graph.node}
    found = nodes_in_order(path)
    assert all(found)
    assert {name for names in found for name in names} <= known
