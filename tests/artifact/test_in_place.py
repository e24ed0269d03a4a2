"""Kernels that write over an input: which ones, when, and that nothing else is ever overwritten."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from tvm import te, tirx

from edgeprune.artifact.in_place import choose_in_place, overwritable
from edgeprune.artifact.kernels import CompiledKernel
from edgeprune.artifact.layout import MemoryLayout, lay_out
from edgeprune.lowering import Buffer, Copy, KernelCall, Program, Role
from edgeprune.lowering.model import TensorSpec
from tests.artifact.conftest import build
from tests.lowering.networks import Graph, conv

SIDE = 4
Compute = Callable[[te.Tensor, te.Tensor], te.Tensor]
Row = NDArray[np.float32]


def kernel(compute: Compute, *, second: tuple[int, ...] = (SIDE, SIDE), dtype: str = "float32") -> tirx.PrimFunc:
    first, other = te.placeholder((SIDE, SIDE), name="first"), te.placeholder(second, dtype=dtype, name="other")
    return te.create_prim_func([first, other, compute(first, other)])


def in_step(first: te.Tensor, other: te.Tensor) -> te.Tensor:
    return te.compute((SIDE, SIDE), lambda i, j: first[i, j] * 2 + other[i, j], name="out")


def crossed(first: te.Tensor, other: te.Tensor) -> te.Tensor:
    return te.compute((SIDE, SIDE), lambda i, j: first[i, j] + other[j, i], name="out")


def read_twice(first: te.Tensor, other: te.Tensor) -> te.Tensor:
    return te.compute((SIDE, SIDE), lambda i, j: first[i, j] - first[i, 0] + other[i, j], name="out")


def broadcast(first: te.Tensor, other: te.Tensor) -> te.Tensor:
    return te.compute((SIDE, SIDE), lambda i, j: first[i, j] + other[0, j], name="out")


def product(first: te.Tensor, other: te.Tensor) -> te.Tensor:
    axis = te.reduce_axis((0, SIDE))
    return te.compute((SIDE, SIDE), lambda i, j: te.sum(first[i, axis] * other[axis, j], axis=axis), name="out")


def product_and_sum(first: te.Tensor, other: te.Tensor) -> te.Tensor:
    summed = product(first, first)
    return te.compute((SIDE, SIDE), lambda i, j: summed[i, j] + other[i, j], name="sum")


def narrower(first: te.Tensor, other: te.Tensor) -> te.Tensor:
    return te.compute((SIDE, SIDE), lambda i, j: first[i, j] + other[i, j].astype("float32"), name="out")


def test_what_is_read_in_step_may_be_overwritten() -> None:
    assert overwritable(kernel(in_step)) == (0, 1)
    assert overwritable(kernel(product_and_sum)) == (1,)


def test_what_is_read_elsewhere_may_not() -> None:
    assert overwritable(kernel(crossed)) == (0,)
    assert overwritable(kernel(read_twice)) == (1,)
    assert overwritable(kernel(product)) == ()


def test_another_shape_or_type_may_not() -> None:
    assert overwritable(kernel(broadcast, second=(1, SIDE))) == (0,)
    assert overwritable(kernel(narrower, dtype="float16")) == (0,)


FUNCTIONS = {"in_step": kernel(in_step), "crossed": kernel(crossed), "product_and_sum": kernel(product_and_sum)}
BYTES = SIDE * SIDE * 4


def program(calls: list[tuple[str, int, int]], *, result: int | None = None) -> Program:
    """Return the program of ``calls`` (kernel, first and second argument); value 0 is the input, n the nth call's.

    The last call's value, or ``result``, is copied to the output.
    """
    buffers = [Buffer(0, Role.INPUT, 0, BYTES, "float32")]
    steps: list[KernelCall | Copy] = []
    for number, (name, first, other) in enumerate(calls, start=1):
        buffers.append(Buffer(number, Role.INTERMEDIATE, number - 1, BYTES, "float32"))
        steps.append(KernelCall(name, (first, other, number)))
    buffers.append(Buffer(len(buffers), Role.OUTPUT, 0, BYTES, "float32"))
    steps.append(Copy(len(calls) if result is None else result, len(buffers) - 1))
    spec = (TensorSpec("tensor", (SIDE, SIDE), "float32"),)
    return Program(tuple(buffers), (), tuple(steps), FUNCTIONS, spec, spec, "", {}, tuned={}, work={})


def test_a_buffer_that_is_needed_later_is_left_alone() -> None:
    assert choose_in_place(program([("in_step", 0, 0), ("in_step", 1, 0)])) == {}  # the first call has inputs only
    chain = [("crossed", 0, 0), ("in_step", 1, 0), ("in_step", 2, 0)]
    assert choose_in_place(program(chain)) == {"in_step": 0}
    assert choose_in_place(program(chain, result=2)) == {}
    assert choose_in_place(program([("crossed", 0, 0), ("in_step", 1, 1)])) == {}
    assert choose_in_place(program([("crossed", 0, 0), ("in_step", 0, 1)])) == {"in_step": 1}


def compiled(given: Program) -> dict[str, CompiledKernel]:
    chosen = choose_in_place(given)
    return {name: CompiledKernel(name, name, (), None, chosen.get(name)) for name in FUNCTIONS}


def run(given: Program, layout: MemoryLayout, value: Row) -> Row:
    """Interpret ``given`` in an arena laid out so."""
    arena, output = np.full(layout.arena_bytes // 4, np.nan, dtype=np.float32), np.empty((SIDE, SIDE), np.float32)

    def view(index: int) -> Row:
        role = given.buffers[index].role
        start = layout.buffers.get(index, 0) // 4
        places = {Role.INPUT: value, Role.OUTPUT: output}
        return places[role] if role in places else arena[start : start + SIDE * SIDE].reshape(SIDE, SIDE)

    for step in given.steps:
        if isinstance(step, Copy):
            view(step.destination)[:] = view(step.source)
            continue
        first, other, out = map(view, step.arguments)
        if step.kernel == "in_step":
            for place in np.ndindex(SIDE, SIDE):
                out[place] = first[place] * 2 + other[place]
        elif step.kernel == "crossed":
            for i, j in np.ndindex(SIDE, SIDE):
                out[i, j] = first[i, j] + other[j, i]
        else:
            for i, j in np.ndindex(SIDE, SIDE):
                out[i, j] = first[i] @ first[:, j] % 7 + other[i, j]
    return output


@pytest.mark.parametrize("seed", range(60))
def test_no_value_is_lost_in_any_program(seed: int) -> None:
    """Random programs: the arena gives what memory for every buffer of its own gives."""
    generator = random.Random(seed)
    calls = [
        (generator.choice(list(FUNCTIONS)), *(max(0, number - generator.choice((1, 1, 2, 4))) for _ in range(2)))
        for number in range(1, generator.randrange(3, 12))
    ]
    given = program([(name, first, other) for name, first, other in calls])
    layout = lay_out(given, compiled(given))
    apart = {index: 64 * index for index in range(len(given.buffers))}
    roomy = MemoryLayout(apart, {}, {}, b"", 64 * len(given.buffers), 0)
    value = np.arange(SIDE * SIDE, dtype=np.float32).reshape(SIDE, SIDE) % 5
    assert layout.arena_bytes <= roomy.arena_bytes
    assert np.array_equal(run(given, layout, value), run(given, roomy, value))


def test_chains_share_one_piece_of_memory() -> None:
    given = program([("crossed", 0, 0), ("in_step", 1, 0), ("in_step", 2, 0), ("in_step", 3, 0)])
    layout = lay_out(given, compiled(given))
    assert layout.buffers == {1: 0, 2: 0, 3: 0, 4: 0}
    assert (layout.arena_bytes, layout.arena_bound_bytes) == (BYTES, BYTES)


@pytest.mark.slow
def test_a_residual_sum_overwrites_its_shortcut(tmp_path: Path) -> None:
    graph = Graph(seed=2)
    data = graph.node("Relu", conv(graph, graph.input(1, 8, 10, 10), 8, 16, 7, pads=[3] * 4))
    inner = graph.node("Relu", conv(graph, data, 16, 16, 7, pads=[3] * 4))
    summed = graph.node("Relu", graph.node("Add", conv(graph, inner, 16, 16, 7, pads=[3] * 4), data))
    path = graph.save(tmp_path / "net.onnx", graph.node("Flatten", graph.node("GlobalAveragePool", summed)))
    built = build(path, "host", tmp_path / "artifact", model="net")
    image, padded_rows = 16 * 10 * 10 * 4, 16 * 7 * 16 * 4
    assert built.manifest.arena_bound_bytes == 2 * image + padded_rows
    assert built.manifest.arena_bytes == built.manifest.arena_bound_bytes
