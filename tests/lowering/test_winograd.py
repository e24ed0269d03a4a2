"""Convolutions of 3x3 and 5x5 by Winograd's method: exact to rounding for every image, padding and channel count."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgeprune.artifact.kernels import compile_kernels
from edgeprune.lowering import check_lowering, lower, read_program, schedule, tvm_target
from edgeprune.lowering.register_tile import VectorUnit
from edgeprune.lowering.winograd import Shape, transform_weights
from edgeprune.lowering.winograd_choice import block_width, worthwhile_sizes
from edgeprune.target import find_target
from tests.lowering.networks import Graph, conv

AVX2 = VectorUnit(lanes=(8, 4), sums=12, registers=16)
NEON = VectorUnit(lanes=(4,), sums=20, registers=32)


@pytest.mark.parametrize(
    "target_name", ["host", *(pytest.param(name, marks=pytest.mark.slow) for name in ("aarch64", "cortex-a7"))]
)
@pytest.mark.parametrize(
    ("window", "image", "inputs", "outputs", "pads"),
    [
        (3, (8, 8), 16, 16, [1, 1, 1, 1]),
        (3, (21, 17), 13, 21, [1, 1, 1, 1]),  # tiles and channels beyond the real ones
        (3, (15, 14), 8, 50, [0, 0, 0, 0]),
        (3, (12, 10), 24, 12, [2, 0, 1, 2]),
        (5, (12, 12), 20, 50, [0, 0, 0, 0]),
        (5, (13, 10), 21, 24, [2, 1, 0, 2]),
    ],
)
def test_it_agrees_with_onnxruntime(
    tmp_path: Path, target_name: str, window: int, image: tuple[int, int], inputs: int, outputs: int, pads: list[int]
) -> None:
    graph = Graph()
    data = graph.node("Relu", conv(graph, graph.input(1, inputs, *image), inputs, outputs, window, pads=pads))
    path = graph.save(tmp_path / "network.onnx", data)
    target = find_target(target_name)
    lowered = lower(path, target)
    assert sum("winograd" in name for name in lowered.kernel_nodes) == 1
    assert all(parity.relative_error <= 1e-5 for parity in check_lowering(schedule(lowered, target), path))


def _residual(graph: Graph, data: str) -> str:
    return graph.node("Relu", graph.node("Add", conv(graph, data, 16, 16, pads=[1] * 4), data))


def _hard_swish(graph: Graph, data: str) -> str:
    return graph.node("HardSwish", conv(graph, data, 16, 16, pads=[1] * 4))


def _sigmoid(graph: Graph, data: str) -> str:
    convolved = conv(graph, data, 16, 16, pads=[1] * 4)
    return graph.node("Mul", convolved, graph.node("Sigmoid", convolved))


def _pooled(graph: Graph, data: str) -> str:
    return graph.node("MaxPool", conv(graph, data, 16, 16, pads=[1] * 4), kernel_shape=[2, 2], strides=[2, 2])


def _bare(graph: Graph, data: str) -> str:
    return graph.node("Conv", data, graph.weight(16, 16, 3, 3), pads=[1] * 4)


def _upsampled(graph: Graph, data: str) -> str:
    convolved = conv(graph, data, 16, 16, pads=[1] * 4)
    return graph.node("Concat", convolved, graph.node("Transpose", convolved, perm=[0, 1, 3, 2]), axis=1)


@pytest.mark.parametrize("after", [_residual, _hard_swish, _sigmoid, _pooled, _bare, _upsampled])
def test_what_follows_it_agrees_with_onnxruntime(tmp_path: Path, after: object) -> None:
    graph = Graph()
    path = graph.save(tmp_path / "network.onnx", after(graph, graph.input(2, 16, 12, 12)))  # type: ignore[operator]
    target = find_target("host")
    lowered = lower(path, target)
    assert any("winograd" in name for name in lowered.kernel_nodes)
    assert all(parity.relative_error <= 1e-5 for parity in check_lowering(schedule(lowered, target), path))


def test_a_strip_of_tiles_needs_little_memory(tmp_path: Path) -> None:
    graph = Graph()
    data = conv(graph, graph.input(1, 16, 32, 32), 16, 16, pads=[1] * 4)
    target = find_target("rpi3")
    program = read_program(schedule(lower(graph.save(tmp_path / "network.onnx", data), target), target))
    kernels = compile_kernels(program, tvm_target(target), prefix="network", object_path=tmp_path / "kernels.o")
    found = [size for kernel in kernels.values() for size in kernel.workspaces]
    strip = 8 * 36 * 16  # tiles, elements of a tile, channels
    assert sum(found) <= 4 * (2 * strip + 6 * 34 * 16)


def test_weights_are_transformed_by_hand() -> None:
    """F(2, 3): G = [1 0 0; 1/2 1/2 1/2; 1/2 -1/2 1/2; 0 0 1] up to the sign of the first row."""
    weights = np.zeros((3, 3, 1, 3), dtype=np.float32)
    weights[1, 2, 0, 1] = 8.0
    found = transform_weights(weights, 2, 2)
    assert found.shape == (2, 4, 4, 1, 2)
    expected = np.zeros((4, 4), dtype=np.float32)
    expected[1, 1:] = [2.0, 2.0, 4.0]
    expected[1, 1], expected[1, 2] = 2.0, 2.0
    expected[2] = -expected[1]
    expected[:, 0] = 0.0
    assert np.array_equal(found[0, :, :, 0, 1], expected)
    assert not found[0, :, :, 0, 0].any()
    assert not found[1].any()


@pytest.mark.parametrize(
    ("image", "inputs", "outputs", "expected"),
    [
        ((32, 32), 16, 16, (2, 4)),
        ((16, 16), 32, 32, (2, 4)),
        ((8, 8), 64, 64, (2,)),  # F(4, 3) is hardly faster: its weights come from memory
        ((6, 6), 32, 32, (2,)),  # nine whole tiles rather than four that reach over the edge
        ((3, 3), 64, 64, ()),
        ((2, 2), 64, 64, ()),  # too few tiles to share the weights
        ((32, 32), 3, 16, ()),  # the transforms cost more than they save
    ],
)
def test_which_convolutions_it_is_for(
    image: tuple[int, int], inputs: int, outputs: int, expected: tuple[int, ...]
) -> None:
    shape = Shape(image, (1, 1, 1, 1), inputs, outputs)
    assert worthwhile_sizes(shape, lanes=4, cpu=find_target("rpi3").cpu) == expected


def test_a_window_of_five_has_small_tiles_alone() -> None:
    shape = Shape((12, 12), (0, 0, 0, 0), 20, 50, window=5)
    cpu = find_target("rpi3").cpu
    assert worthwhile_sizes(shape, lanes=4, cpu=cpu) == (2,)
    assert worthwhile_sizes(shape, lanes=4, cpu=cpu.model_copy(update={"winograd_tiles": 2})) == (2,)
    assert worthwhile_sizes(Shape((28, 28), (0, 0, 0, 0), 1, 20, window=5), lanes=4, cpu=cpu) == ()


def test_a_window_of_five_is_transformed_by_polynomials_at_the_points() -> None:
    """F(2, 5): a row of weights is its polynomial at a point, over the product of the point's distances."""
    weights = np.zeros((5, 5, 1, 1), dtype=np.float32)
    weights[0, 4, 0, 0] = 1.0
    found = transform_weights(weights, 2, 1)[0, :, :, 0, 0]
    points = [0.0, 0.5**0.5, -(0.5**0.5), 2.0**0.5, -(2.0**0.5)]
    distances = [np.prod([point - other for other in points if other != point]) for point in points]
    expected = np.outer([*(1 / np.array(distances)), 0.0], [*(np.array(points) ** 4 / np.array(distances)), 1.0])
    assert np.allclose(found, expected, rtol=1e-6, atol=1e-7)


def test_a_core_with_large_caches_takes_the_larger_tile() -> None:
    shape = Shape((8, 8), (1, 1, 1, 1), 64, 64)
    assert worthwhile_sizes(shape, lanes=8, cpu=find_target("host").cpu)[-1] == 4


@pytest.mark.parametrize(
    ("outputs", "unit", "expected"),
    [
        (16, AVX2, 16),
        (24, AVX2, 24),
        (8, AVX2, 8),
        (64, NEON, 16),
        (50, NEON, 20),
        (40, AVX2, 40),
        (24, NEON, 12),
        (4, NEON, 4),
    ],
)
def test_blocks_of_channels(outputs: int, unit: VectorUnit, expected: int) -> None:
    assert block_width(outputs, unit) == expected
