"""Loops of products on ARM: which of them get code of their own, and that it computes what they did."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import tvm
from tvm import tirx
from tvm_ffi import structural_equal

from edgeprune.artifact.aarch64_products import products_by_lane
from edgeprune.artifact.armv7_products import products_function
from edgeprune.artifact.armv7_window import window_function
from edgeprune.artifact.fixed_products import fix_products
from edgeprune.artifact.product_grid import ProductGrid, product_grid
from edgeprune.artifact.vector_maxima import with_vector_maxima
from edgeprune.artifact.window_grid import WindowGrid, window_grid
from edgeprune.lowering import tvm_target
from edgeprune.measuring import NotRun, measure
from edgeprune.recipe import Measure
from edgeprune.target import find_target
from tests.artifact.conftest import build
from tests.lowering.networks import Graph, conv

SUMS = tirx.decl_buffer((64,), "float32x4", name="sums")
IMAGE = tirx.decl_buffer((4096,), "float32", name="image")
MASK = tirx.const(0x7FFFFFFF, "int32")
WEIGHTS = tirx.decl_buffer((4096,), "float32", name="weights")


def _vector(buffer: tirx.Buffer, first: tvm.ir.Expr | int) -> tvm.ir.Expr:
    return tirx.BufferLoad(buffer, [tirx.Ramp(first, 1, 4)])


def _add(place: int, factor: tvm.ir.Expr, vector: tvm.ir.Expr) -> tirx.Stmt:
    return tirx.BufferStore(SUMS, tirx.BufferLoad(SUMS, [place]) + factor * vector, [place])


def _loop(extent: int, body: Callable[[tirx.Var], tirx.Stmt]) -> tirx.For:
    variable = tirx.Var("k", "int32")
    return tirx.For(variable, 0, extent, tirx.ForKind.SERIAL, body(variable))


def _products(extent: int, number: Callable[[int, tirx.Var], tvm.ir.Expr], vectors: int = 2, step: int = 8) -> tirx.For:
    """Three pixels by ``vectors``; ``number`` says where in the image the number of a pixel is."""

    def body(k: tirx.Var) -> tirx.Stmt:
        return tirx.SeqStmt(
            [
                _add(
                    vectors * pixel + vector,
                    tirx.Broadcast(tirx.BufferLoad(IMAGE, [number(pixel, k)]), 4),
                    _vector(WEIGHTS, step * k + 4 * vector),
                )
                for pixel in range(3)
                for vector in range(vectors)
            ]
        )

    return _loop(extent, body)


def _window(rows: int, columns: int, stride: int, apart: int) -> tirx.For:
    """Four pixels; columns of the image are ``apart`` numbers apart."""

    def row(y: tirx.Var) -> tirx.Stmt:
        def column(x: tirx.Var) -> tirx.Stmt:
            place = [y * 256 + (stride * pixel + x) * apart for pixel in range(4)]
            weights = (y * columns + x) * 4
            return tirx.SeqStmt([_add(p, _vector(IMAGE, place[p]), _vector(WEIGHTS, weights)) for p in range(4)])

        return _loop(columns, column)

    return _loop(rows, row)


def test_a_grid_of_products_is_recognised() -> None:
    grid = product_grid(_products(13, lambda pixel, k: 64 * pixel + k))
    assert grid is not None
    assert (grid.turns, grid.pixels, grid.vectors, grid.apart, grid.step) == (13, 3, 2, 64, 8)
    assert grid.sums == ((0, 4), (8, 12), (16, 20))
    assert grid.streams


def test_so_is_one_whose_channels_are_hidden() -> None:
    grid = product_grid(_products(8, lambda pixel, k: 64 * pixel + tirx.bitwise_and(k, MASK)))
    assert grid is not None and grid.turns == 8


@pytest.mark.parametrize(
    "loop",
    [
        _products(3, lambda pixel, k: 64 * pixel + k),  # too few turns
        _products(8, lambda pixel, k: 64 * pixel + 2 * k),  # numbers that do not follow each other
        _products(8, lambda pixel, k: tirx.min(64 * pixel + k, 100)),  # the last pixel again
        _products(8, lambda pixel, k: 64 * pixel * pixel + k),  # uneven
        _products(8, lambda pixel, k: 64 * (pixel // 2) + k),  # two pixels that are one
        _products(8, lambda pixel, k: 64 * pixel + k, vectors=10),  # 30 sums: no registers are left
    ],
)
def test_other_loops_stay(loop: tirx.For) -> None:
    grid = product_grid(loop)
    assert grid is None or products_function(grid, "f") is None
    function = tirx.PrimFunc([], loop).with_attr("global_symbol", "f")
    for target_name in ("cortex-a7", "rpi3"):
        fixed = fix_products(function, tvm_target(find_target(target_name)))
        assert structural_equal(fixed.body, loop, map_free_vars=True)


def test_on_aarch64_a_single_pixel_stays() -> None:
    grid = product_grid(_products(8, lambda pixel, k: 64 * pixel + k))
    assert grid is not None
    single = ProductGrid(8, grid.sums[:1], 0, 8, grid.first)
    assert products_by_lane(_products(8, lambda pixel, k: k), single, "f") is None


def test_on_x86_all_loops_stay() -> None:
    function = tirx.PrimFunc([], _products(8, lambda pixel, k: 64 * pixel + k)).with_attr("global_symbol", "f")
    assert fix_products(function, tvm_target(find_target("host"))).same_as(function)


@pytest.mark.parametrize(("turns", "vectors", "fixed"), [(8, 2, True), (6, 2, False), (8, 8, False)])
def test_on_aarch64_four_turns_are_one(turns: int, vectors: int, fixed: bool) -> None:
    """Turns that are left over cost more than they save, and so do numbers that leave no registers for sums."""
    loop = _products(turns, lambda pixel, k: 64 * pixel + k, vectors=vectors, step=4 * vectors)
    grid = product_grid(loop)
    assert grid is not None
    by_lane = products_by_lane(loop, grid, "f")
    assert (by_lane is not None) == fixed
    if by_lane is not None:
        assert int(by_lane.body.extent) == turns // 4
        assert str(by_lane.body).count("f_lane3") == 3 * vectors


def test_a_depthwise_window_is_recognised() -> None:
    grid = window_grid(_window(3, 5, 2, 64))
    assert grid is not None
    assert (grid.rows, grid.columns, grid.stride, grid.span) == (3, 5, 2, 11)
    assert (grid.image.column, grid.image.row, grid.weights.column, grid.weights.row) == (64, 256, 4, 20)
    assert window_function(grid, "f") is not None


def test_a_window_of_fourteen_columns_leaves_no_register() -> None:
    grid = window_grid(_window(3, 13, 1, 4))
    assert grid is not None and window_function(grid, "f") is None


@pytest.mark.parametrize("turns", [4, 5, 6, 7])
@pytest.mark.parametrize(
    ("pixels", "vectors", "gap"), [(4, 2, 0), (9, 1, 0), (5, 2, 4), (1, 3, 0), (12, 1, 0), (2, 4, 8)]
)
def test_a_turn_multiplies_each_number_with_each_vector_once(turns: int, pixels: int, vectors: int, gap: int) -> None:
    first = product_grid(_products(8, lambda pixel, k: 64 * pixel + k))
    assert first is not None
    sums = tuple(tuple(4 * (vectors * p + v) for v in range(vectors)) for p in range(pixels))
    code = products_function(ProductGrid(turns, sums, 64, 4 * vectors + gap, first.first), "f")
    if code is None:
        assert pixels * vectors + (pixels + 1) // 2 + 1 > 16
        return
    lines = code.partition('"')[2].partition('"')[0].split(r"\0A")
    loop, rest = lines[: lines.index("bne 1b")], lines[lines.index("bne 1b") + 1 :]
    numbers = 4 if sum("vmla" in line for line in loop) == 4 * pixels * vectors else 2
    assert sum("vmla" in line for line in loop) == numbers * pixels * vectors
    assert sum("vmla" in line for line in rest) == (turns % numbers) * pixels * vectors
    assert turns % numbers <= 1


def test_maxima_of_vectors_are_one_instruction_each() -> None:
    clipped = tirx.min(tirx.max(_vector(IMAGE, 0), _vector(WEIGHTS, 0)), tirx.Broadcast(tirx.const(6.0), 4))
    text = str(with_vector_maxima(clipped))
    assert "llvm.minimum" in text and "llvm.maximum" in text
    single = tirx.max(tirx.BufferLoad(IMAGE, [0]), tirx.const(0.0))
    assert with_vector_maxima(single).same_as(single)


def _convolved(graph: Graph, data: str, shape: tuple[int, int, int], **attributes: object) -> str:
    inputs, outputs, size = shape
    weights = graph.weight(outputs, inputs // int(str(attributes.get("group", 1))), size, size)
    return graph.node("Conv", data, weights, graph.weight(outputs), kernel_shape=[size, size], **attributes)


@pytest.mark.slow
@pytest.mark.parametrize("target_name", ["cortex-a7", "armv7", "rpi3", "aarch64"])
def test_products_of_many_shapes_agree_with_onnxruntime(target_name: str, tmp_path: Path) -> None:
    """Even, odd and few input channels; tiles of all pixels, or with one to spare; windows that move by one and two."""
    graph = Graph()
    data = graph.input(1, 8, 12, 12)
    outputs = [conv(graph, data, 8, 16, 3)]
    for channels in (5, 6, 7, 24):
        some = graph.node("Relu", conv(graph, data, 8, channels, 1))
        outputs += [conv(graph, some, channels, 20, 1), conv(graph, some, channels, 13, 3)]
        outputs += [_convolved(graph, some, (channels, 12, 3), strides=[2, 2], pads=[1] * 4)]
        outputs += [_convolved(graph, some, (channels, channels, 3), group=channels, pads=[1] * 4)]
        outputs += [_convolved(graph, some, (channels, channels, 5), group=channels, pads=[2] * 4, strides=[2, 2])]
        outputs += [_convolved(graph, some, (channels, channels, 3), group=channels, dilations=[2, 2])]
        outputs += [graph.node("MatMul", graph.node("Flatten", some), graph.weight(144 * channels, 12, scale=0.03))]
    path = graph.save(tmp_path / "network.onnx", *outputs)
    built = build(path, target_name, tmp_path / "artifact", model="network")
    found = measure(built.directory, find_target(target_name), Measure())
    assert not isinstance(found, NotRun)
    assert found.check.max_relative_error < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize(("target_name", "share"), [("rpi2", 0.5), ("rpi3", 0.7)])
def test_most_instructions_of_a_1x1_convolution_are_products(target_name: str, share: float, tmp_path: Path) -> None:
    graph = Graph()
    data = graph.input(1, 64, 6, 6)
    for _ in range(6):
        data = graph.node("Relu", conv(graph, data, 64, 64, 1))
    path = graph.save(tmp_path / "network.onnx", data)
    built = build(path, target_name, tmp_path / "artifact", model="network")
    found = measure(built.directory, find_target(target_name), Measure())
    assert not isinstance(found, NotRun) and found.instructions is not None
    assert found.instructions.mix["mac"] > share * found.instructions.region


def test_grids_are_of_one_kind() -> None:
    assert window_grid(_products(8, lambda pixel, k: 64 * pixel + k)) is None
    assert product_grid(_window(3, 3, 1, 4)) is None
    assert isinstance(window_grid(_window(3, 3, 1, 4)), WindowGrid)
