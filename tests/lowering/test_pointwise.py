"""1x1 convolutions with a pixel to spare: exact, and only where tiles gain from it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tvm import relax

from edgeprune.lowering import check_lowering, lower, schedule
from edgeprune.lowering.convolution import Dense, Window
from edgeprune.lowering.pointwise import spare_pixels
from edgeprune.lowering.register_tile import VectorUnit
from edgeprune.target import find_target
from tests.lowering.networks import Graph, conv

AVX2 = VectorUnit(lanes=(8, 4), sums=12, registers=16)
NEON32 = VectorUnit(lanes=(4,), sums=10, registers=16, offsets=False)
NEON64 = VectorUnit(lanes=(4,), sums=20, registers=32)
STILL = Window((1, 1), (0, 0, 0, 0), (1, 1))


def _spare(image: tuple[int, int], outputs: int, unit: VectorUnit, window: Window = STILL, size: int = 1) -> int:
    data = relax.Var("data", relax.TensorType([1, *image, 8], "float32"))
    return spare_pixels(data, Dense(np.zeros((size, size, 8, outputs), np.float32), window, outputs), unit)


@pytest.mark.parametrize(
    ("image", "outputs", "unit", "expected"),
    [
        ((7, 7), 160, AVX2, 1),  # ten tiles of 5x2
        ((7, 7), 160, NEON32, 0),  # by lane, 7x1 are as good
        ((7, 7), 160, NEON64, 0),  # seven of 7x2 are as good
        ((13, 13), 64, AVX2, 1),
        ((11, 11), 64, AVX2, 5),  # tiles of 6x2
        ((3, 3), 256, AVX2, 1),  # twelve sums of 3x4 leave no register for a pixel
        ((14, 14), 96, AVX2, 0),
        ((1, 1), 1280, AVX2, 0),
    ],
)
def test_how_many_pixels_are_spared(image: tuple[int, int], outputs: int, unit: VectorUnit, expected: int) -> None:
    assert _spare(image, outputs, unit) == expected


def test_only_convolutions_of_one_pixel_have_any() -> None:
    assert _spare((7, 7), 160, AVX2, size=3) == 0
    assert _spare((7, 7), 160, AVX2, Window((2, 2), (0, 0, 0, 0), (1, 1))) == 0
    assert _spare((7, 7), 160, AVX2, Window((1, 1), (1, 1, 1, 1), (1, 1))) == 0


@pytest.mark.parametrize(
    ("target_name", "size", "pixels"), [("host", 7, 50), pytest.param("cortex-a7", 11, 126, marks=pytest.mark.slow)]
)
@pytest.mark.parametrize(("batch", "channels", "outputs"), [(1, 24, 24), (2, 13, 21)])
def test_it_agrees_with_onnxruntime(
    tmp_path: Path, target_name: str, size: int, pixels: int, batch: int, channels: int, outputs: int
) -> None:
    graph = Graph()
    first = graph.node("Relu", conv(graph, graph.input(batch, channels, size, size), channels, outputs, 1))
    second = conv(graph, first, outputs, outputs, 1)
    path = graph.save(tmp_path / "network.onnx", graph.node("Relu", graph.node("Add", second, first)))
    target = find_target(target_name)
    lowered = lower(path, target)
    kernels = [function.script() for function in lowered.module.functions.values() if "prim_func" in function.script()]
    assert sum("real_pixels" in text or f"T.int64({pixels})" in text for text in kernels) == 2
    scheduled = schedule(lowered, target)
    macs = sorted(work.macs for work in scheduled.work.values())[-2:]
    assert sorted(macs) == sorted([batch * size**2 * channels * outputs, batch * size**2 * outputs**2])
    assert all(parity.relative_error <= 1e-5 for parity in check_lowering(scheduled, path))
