"""Which loop of a scheduled kernel several threads share.

Only loops outside everything else qualify, and only where each iteration computes outputs of its own: no sum is ever
split between threads, so that every output is computed by the same operations in the same order however many there are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import tvm
from tvm import s_tir, tirx
from tvm.s_tir import Schedule, ScheduleError
from tvm.s_tir.analysis import estimate_tir_flops

from edgeprune.lowering.loop_nest import Leaf, leaves

LEAST_WORK = 50_000
"""Operations and written elements from which a kernel is shared: below, threads would wait longer than they work."""
# With so many iterations for each thread none has to wait long for another that got one more.
_ITERATIONS_PER_THREAD = 8
_SPATIAL = 0


def parallelise(function: tirx.PrimFunc, threads: int) -> tirx.PrimFunc:
    """Return ``function`` with its outermost loops fused into one parallel loop, or as it is where that does not pay.

    A kernel stays serial if it does less than `LEAST_WORK`, consists of several loop nests in a row, or has an
    outermost loop over what is summed up. `Schedule.parallel` would refuse every reduction whose sums are initialised
    apart, as all of ours are: what makes a loop safe is checked here.
    """
    if threads == 1 or _work(function) < LEAST_WORK:
        return function
    loops = _shareable(function, threads)
    if math.prod(int(loop.extent) for loop in loops) == 1:
        return function
    schedule = Schedule(function)
    try:
        schedule.fuse(*schedule.get_loops(schedule.get_child_blocks(schedule.get_sblock("root"))[0])[: len(loops)])
    except ScheduleError:
        return function  # a loop whose bounds depend on another one
    return _mark_outermost(schedule.mod["main"]).with_attrs(dict(function.attrs))


def speedup(function: tirx.PrimFunc, threads: int) -> float:
    """Return how many times as fast ``threads`` are with ``function``, from `parallelise`, if iterations take alike."""
    loop = function.body.block.body
    if not isinstance(loop, tirx.For) or loop.kind != tirx.ForKind.PARALLEL:
        return 1.0
    iterations = int(loop.extent)
    return iterations / math.ceil(iterations / threads)


def _work(function: tirx.PrimFunc) -> float:
    """Return floating-point operations and elements written: a copy has none of the former and takes its time too."""
    operations = estimate_tir_flops(tvm.IRModule({"main": function}))
    return float(operations) + math.prod(int(extent) for extent in function.params[-1].shape)


def _shareable(function: tirx.PrimFunc, threads: int) -> list[tirx.For]:
    """Return the outermost loops that threads may share, as many as give ``threads`` enough iterations.

    The innermost loop of all is left to the compiler's vectoriser.
    """
    statement = function.body.block.body
    blocks = leaves(function)
    outputs = list(function.params)
    found: list[tirx.For] = []
    iterations = 1
    while blocks is not None and isinstance(statement, tirx.For) and statement.kind == tirx.ForKind.SERIAL:
        last = isinstance(statement.body, s_tir.SBlockRealize)
        if last or iterations >= _ITERATIONS_PER_THREAD * threads or not _independent(statement, blocks, outputs):
            break
        found.append(statement)
        iterations *= int(statement.extent)
        statement = statement.body
    return found


def _independent(loop: tirx.For, blocks: Sequence[Leaf], outputs: Sequence[tirx.Buffer]) -> bool:
    """Whether no block sums over ``loop``, and every block that writes an output writes other elements each time."""
    if int(loop.extent) == 1:
        return True
    for leaf in blocks:
        uses = [_uses(value, loop.loop_var) for value in leaf.realize.iter_values]
        kinds = [int(variable.iter_type) for variable in leaf.block.iter_vars]
        if any(used and kind != _SPATIAL for used, kind in zip(uses, kinds, strict=True)):
            return False
        if any(leaf.writes(output) for output in outputs) and not any(uses):
            return False
    return True


def _uses(value: tvm.ir.Expr, variable: tirx.Var) -> bool:
    return any(used.same_as(variable) for used in tirx.analysis.undefined_vars(value))


def _mark_outermost(function: tirx.PrimFunc) -> tirx.PrimFunc:
    root, loop = function.body, function.body.block.body
    parallel = tirx.For(
        loop.loop_var, loop.min, loop.extent, tirx.ForKind.PARALLEL, loop.body, None, loop.annotations, loop.step
    )
    block = s_tir.SBlock(
        root.block.iter_vars,
        root.block.reads,
        root.block.writes,
        root.block.name_hint,
        parallel,
        root.block.init,
        root.block.alloc_buffers,
        root.block.match_buffers,
        root.block.annotations,
    )
    return function.with_body(s_tir.SBlockRealize(root.iter_values, root.predicate, block))
