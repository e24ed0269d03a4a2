"""Images whose channels are filled up to whole vectors: where they are, and that nobody reads what fills them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgeprune.lowering import check_lowering, lower, schedule
from edgeprune.lowering.model import Lowered
from edgeprune.target import find_target
from tests.lowering.networks import Graph, conv


def _lowered(graph: Graph, path: Path, *outputs: str, board: str = "host") -> Lowered:
    """Return the lowered network, once its default schedules have been held against ONNX Runtime."""
    saved, target = graph.save(path, *outputs), find_target(board)
    lowered = lower(saved, target)
    assert all(parity.relative_error <= 1e-5 for parity in check_lowering(schedule(lowered, target), saved))
    return lowered


def _images(lowered: Lowered) -> list[int]:
    """Return the channels of every result that is an image, in the order of the calls."""
    results = [lowered.module[kernel].params[-1].shape for kernel, _ in lowered.calls]
    return [int(shape[-1]) for shape in results if len(shape) == 4]


def _residual(graph: Graph, data: str) -> str:
    inner = graph.node("Relu", conv(graph, data, 11, 11, pads=[1] * 4))
    return graph.node("Relu", graph.node("Add", conv(graph, inner, 11, 11, pads=[1] * 4), data))


def _strided(graph: Graph, data: str) -> str:
    return conv(graph, graph.node("Relu", conv(graph, data, 11, 11, strides=[2, 2], pads=[1] * 4)), 11, 11, 1)


def _depthwise(graph: Graph, data: str) -> str:
    convolved = conv(graph, data, 11, 11, group=11, pads=[1] * 4, strides=[2, 2])
    return graph.node("Clip", convolved, graph.constant(np.float32(-0.5)), graph.constant(np.float32(0.5)))


def _pooled(graph: Graph, data: str) -> str:
    highest = graph.node("MaxPool", data, kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    return graph.node("Add", highest, graph.node("AveragePool", data, kernel_shape=[2, 2], strides=[2, 2]))


def _squeezed(graph: Graph, data: str) -> str:
    scale = graph.node("Relu", conv(graph, graph.node("GlobalAveragePool", data), 11, 5, 1))
    return graph.node("Mul", data, graph.node("Sigmoid", conv(graph, scale, 5, 11, 1)))


def _divided(graph: Graph, data: str) -> str:
    return graph.node("Div", graph.node("Mul", data, graph.weight(1, 11, 1, 1)), graph.weight(11, 1, 1))


@pytest.mark.parametrize("board", ["host", "rpi3"])
@pytest.mark.parametrize("between", [_residual, _strided, _depthwise, _pooled, _squeezed, _divided])
def test_every_image_between_convolutions_fills_its_vectors(
    tmp_path: Path, board: str, between: Callable[[Graph, str], str]
) -> None:
    graph = Graph()
    data = graph.node("Relu", conv(graph, graph.input(2, 3, 12, 12), 3, 11, pads=[1] * 4))
    data = conv(graph, between(graph, data), 11, 13, 1)
    lowered = _lowered(graph, tmp_path / "network.onnx", data, board=board)
    *images, _ = _images(lowered)  # the output is channels first
    assert {channels % (8 if board == "host" else 4) for channels in images} == {0}


def test_who_knows_nothing_of_them_gets_the_real_ones(tmp_path: Path) -> None:
    graph = Graph()
    data = conv(graph, graph.input(1, 3, 8, 8), 3, 11, pads=[1] * 4)
    deeper = graph.node("Relu", conv(graph, data, 11, 11, pads=[1] * 4))
    joined = conv(graph, graph.node("Concat", data, deeper, axis=1), 22, 10, group=2)
    softmax = graph.node("Softmax", deeper, axis=1)
    flat = graph.node("Flatten", conv(graph, deeper, 11, 7))
    _lowered(graph, tmp_path / "network.onnx", joined, softmax, flat)


def test_nothing_is_filled_where_no_convolution_reads_it(tmp_path: Path) -> None:
    graph = Graph()
    data = conv(graph, graph.input(1, 16, 8, 8), 16, 13, 8)
    lowered = _lowered(graph, tmp_path / "network.onnx", graph.node("Softmax", graph.node("Flatten", data)))
    assert 13 in _images(lowered)


def test_an_input_of_odd_channels_is_filled_while_it_is_transposed(tmp_path: Path) -> None:
    graph = Graph()
    lowered = _lowered(graph, tmp_path / "network.onnx", conv(graph, graph.input(1, 13, 8, 8), 13, 11, pads=[1] * 4))
    assert _images(lowered) == [16, 16, 8]


@pytest.mark.parametrize("channels", [2, 3])
def test_a_first_convolution_reads_planes(tmp_path: Path, channels: int) -> None:
    graph = Graph()
    image = graph.input(1, channels, 17, 14)
    data = graph.node("Relu", conv(graph, image, channels, 12, 5, strides=[2, 1], pads=[2, 1, 0, 2]))
    lowered = _lowered(graph, tmp_path / "network.onnx", data, conv(graph, image, channels, 8, dilations=[2, 2]))
    assert [name for name in lowered.kernel_nodes if "transpose" in name and "conv" not in name] != []
    first = lowered.module[lowered.calls[0][0]].params
    assert [int(extent) for extent in first[0].shape] == [1, channels, 17, 14]
    assert [int(extent) for extent in first[-1].shape][-1] in (8, 16)
