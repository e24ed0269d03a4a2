"""Which kernels threads share, and along which loops."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tvm
from tvm import s_tir, te, tirx

from edgeprune.lowering import lower, read_program, schedule
from edgeprune.lowering.check import run_module, run_onnx, seeded_inputs
from edgeprune.lowering.parallel import LEAST_WORK, parallelise, speedup
from edgeprune.lowering.schedule import _better_shared
from edgeprune.target import find_target
from tests.lowering.networks import Graph, conv, make


def outermost(function: tirx.PrimFunc) -> tuple[str, int]:
    loop = function.body.block.body
    if not isinstance(loop, tirx.For):
        return "several", len(loop.seq)
    return ("parallel" if loop.kind == tirx.ForKind.PARALLEL else "serial"), int(loop.extent)


def scheduled_for(path: Path, threads: int) -> dict[str, tirx.PrimFunc]:
    target = find_target("host").model_copy(update={"threads": threads})
    return read_program(schedule(lower(path, target), target)).kernels


def a_convolution(path: Path, *, pixels: int) -> Path:
    graph = Graph()
    # Dilated, so that it is not computed in Winograd's tiles.
    data = conv(graph, graph.input(1, 8, pixels, pixels), 8, 16, pads=[2, 2, 2, 2], dilations=[2, 2])
    return graph.save(path, data)


def test_rows_of_a_convolution_are_shared(tmp_path: Path) -> None:
    kernels = scheduled_for(a_convolution(tmp_path / "net.onnx", pixels=20), threads=4)
    found = {name: outermost(function) for name, function in kernels.items() if "conv2d" in name}
    assert list(found.values()) == [("parallel", 20)]


def test_rows_of_tiles_are_shared(tmp_path: Path) -> None:
    graph = Graph()
    data = conv(graph, graph.input(1, 16, 20, 20), 16, 16, pads=[1, 1, 1, 1])
    kernels = scheduled_for(graph.save(tmp_path / "net.onnx", data), threads=4)
    assert [outermost(function) for name, function in kernels.items() if "winograd" in name] == [("parallel", 5)]


def test_one_thread_and_small_kernels_stay_serial(tmp_path: Path) -> None:
    large, small = a_convolution(tmp_path / "large.onnx", pixels=20), a_convolution(tmp_path / "small.onnx", pixels=4)
    assert LEAST_WORK > 2 * 4 * 4 * 8 * 16 * 9
    for path, threads in ((large, 1), (small, 4)):
        assert {kind for kind, _ in map(outermost, scheduled_for(path, threads).values())} == {"serial"}


def kernel(*stages: te.Tensor) -> tirx.PrimFunc:
    return te.create_prim_func(list(stages))


def sums(*, reduce_outermost: bool) -> tirx.PrimFunc:
    data = te.placeholder((64, 2000), name="data")
    column = te.reduce_axis((0, 64), name="column")
    total = te.compute((2000,), lambda index: te.sum(data[column, index], axis=column), name="total")
    plan = s_tir.Schedule(kernel(data, total))
    block = plan.get_sblock("total")
    spatial, reduction = plan.get_loops(block)
    outer, inner = plan.split(spatial, [None, 8])
    plan.reorder(*((reduction, outer, inner) if reduce_outermost else (outer, reduction, inner)))
    return plan.mod["main"]


def test_a_loop_over_what_is_summed_is_never_shared() -> None:
    assert outermost(parallelise(sums(reduce_outermost=False), 2)) == ("parallel", 250)
    assert outermost(parallelise(sums(reduce_outermost=True), 2)) == ("serial", 64)


def test_the_speedup_counts_the_iterations_of_the_busiest_thread() -> None:
    shared, serial = (parallelise(sums(reduce_outermost=last), 4) for last in (False, True))
    assert [speedup(shared, threads) for threads in (1, 2, 4)] == [1, 2, 250 / 63]
    assert speedup(serial, 4) == 1


def test_a_tuned_schedule_gives_way_where_threads_share_the_default_one_better() -> None:
    shared, serial = (parallelise(sums(reduce_outermost=last), 2) for last in (False, True))
    defaults = tvm.IRModule({"both": shared, "neither": serial, "first_prepacked": shared, "second": serial})
    tuned = tvm.IRModule({"both": shared, "neither": serial, "first": serial, "second_prepacked": shared})
    assert _better_shared(defaults, tuned, 2) == {"first"}


def test_a_kernel_of_several_nests_stays_as_it_is() -> None:
    data = te.placeholder((300, 300), name="data")
    first = te.compute((300, 300), lambda i, j: data[i, j] + 1, name="first")
    second = te.compute((300, 300), lambda i, j: first[j, i] * 2, name="second")
    function = kernel(data, second)
    assert parallelise(function, 2).same_as(function)


def test_an_output_written_again_in_every_iteration_is_not_shared() -> None:
    data = te.placeholder((100, 1000), name="data")
    copy = te.compute((100, 1000), lambda i, j: data[i, j], name="copy")
    function = kernel(data, copy)
    root = function.body.block
    again = tirx.For(tirx.Var("again", "int64"), 0, 5, tirx.ForKind.SERIAL, root.body)
    block = s_tir.SBlock([], root.reads, root.writes, "root", again, None, root.alloc_buffers)
    repeated = function.with_body(s_tir.SBlockRealize([], True, block))
    assert outermost(parallelise(function, 2))[0] == "parallel"
    assert outermost(parallelise(repeated, 2)) == ("serial", 5)


@pytest.mark.slow
@pytest.mark.parametrize("family", ["convolutions", "depthwise", "pools", "residual", "attention", "dense"])
def test_shared_kernels_compute_the_same(family: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With every kernel shared, however small; TVM's own threads run the loops."""
    monkeypatch.setattr("edgeprune.lowering.parallel.LEAST_WORK", 0)
    path = make(family, tmp_path / "net.onnx")
    target = find_target("host").model_copy(update={"threads": 3})
    network = schedule(lower(path, target), target)
    kernels = [f for f in network.module.functions.values() if isinstance(f, tirx.PrimFunc)]
    one_tile_wide = family == "dense"  # there is no outer loop that could be shared
    assert any(outermost(function)[0] == "parallel" for function in kernels) != one_tile_wide
    inputs = seeded_inputs(network.inputs, seed=4)
    for actual, expected in zip(run_module(network.module, inputs), run_onnx(path, inputs), strict=True):
        np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-4 * np.abs(expected).max())
