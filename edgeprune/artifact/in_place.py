"""Which kernels may write their output over one of their inputs.

Proven from the code itself: the output is written by one block, once per element, and that block alone reads the input,
at the element it writes. Then nothing that is read has been overwritten before, in whatever order loops and threads
run. Such a kernel gets one pointer for both, so that its compiler sees that they are the same memory.
"""

from __future__ import annotations

import math

import tvm
from tvm import tirx
from tvm_ffi import structural_equal

from edgeprune.lowering.loop_nest import Leaf, leaves
from edgeprune.lowering.program import KernelCall, Program, Role


def choose_in_place(program: Program) -> dict[str, int]:
    """Return, by kernel, the position of the argument that its output (the last argument) takes the memory of.

    A kernel is listed only if that is legal at every call: the argument is an intermediate that nobody needs any more,
    and the output an intermediate of the same size.
    """
    calls: dict[str, list[tuple[int, KernelCall]]] = {}
    for number, step in enumerate(program.steps):
        if isinstance(step, KernelCall):
            calls.setdefault(step.kernel, []).append((number, step))
    last_uses = _last_uses(program)
    chosen: dict[str, int] = {}
    for name, sites in calls.items():
        for position in overwritable(program.kernels[name]):
            if all(_is_free(program, last_uses, number, call, position) for number, call in sites):
                chosen[name] = position
                break
    return chosen


def overwritable(function: tirx.PrimFunc) -> tuple[int, ...]:
    """Return the positions of the parameters whose memory the last one, the only output, may take."""
    found = leaves(function)
    *inputs, output = function.params
    if found is None or function.body.block.match_buffers:
        return ()
    writers = [leaf for leaf in found if leaf.writes(output)]
    if len(writers) != 1 or not _writes_each_element_once(writers[0], output):
        return ()
    if any(leaf.reads(output) for leaf in found) or any(leaf.writes(given) for leaf in found for given in inputs):
        return ()
    return tuple(place for place, given in enumerate(inputs) if _is_read_in_step(found, writers[0], given, output))


def _last_uses(program: Program) -> dict[int, int]:
    uses: dict[int, int] = {}
    for number, step in enumerate(program.steps):
        for index in step.arguments if isinstance(step, KernelCall) else (step.source, step.destination):
            uses[index] = number
    return uses


def _is_free(program: Program, last_uses: dict[int, int], number: int, call: KernelCall, position: int) -> bool:
    given, result = program.buffers[call.arguments[position]], program.buffers[call.arguments[-1]]
    if given.role is not Role.INTERMEDIATE or result.role is not Role.INTERMEDIATE or given.size != result.size:
        return False
    return last_uses[given.index] == number and call.arguments.count(given.index) == 1


def _writes_each_element_once(writer: Leaf, output: tirx.Buffer) -> bool:
    """It runs as often as there are elements, and a kernel writes all of them."""
    always = _is_one(writer.realize.predicate)
    runs = math.prod(int(loop.extent) for loop in writer.loops)
    plain = isinstance(writer.block.body, tirx.BufferStore) and not writer.sums
    return plain and always and runs == math.prod(int(extent) for extent in output.shape)


def _is_read_in_step(found: tuple[Leaf, ...], writer: Leaf, given: tirx.Buffer, output: tirx.Buffer) -> bool:
    shape = [int(extent) for extent in output.shape]
    if [int(extent) for extent in given.shape] != shape or str(given.dtype) != str(output.dtype):
        return False
    if any(leaf.reads(given) for leaf in found if leaf is not writer) or not writer.reads(given):
        return False
    (written,) = writer.writes(output)
    return all(_same_element(region, written, shape) for region in (written, *writer.reads(given)))


def _same_element(region: tirx.BufferRegion, written: tirx.BufferRegion, shape: list[int]) -> bool:
    axes = zip(region.region, written.region, shape, strict=True)
    return all(
        extent == 1 or (_is_one(axis.extent) and structural_equal(axis.min, other.min)) for axis, other, extent in axes
    )


def _is_one(value: tvm.ir.Expr) -> bool:
    return isinstance(value, tirx.IntImm) and int(value) == 1
