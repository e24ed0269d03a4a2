"""The products of a register tile on AArch64, with four numbers of a pixel in one load and each taken from its lane.

LLVM loads every number by itself. Where it finds them in a vector it multiplies by lane, and arranges the rest well.
"""

from __future__ import annotations

from collections.abc import Iterator

import tvm
from tvm import tirx
from tvm.ir.expr import StringImm

from edgeprune.artifact.product import LANES, Product, at, products_in
from edgeprune.artifact.product_grid import ProductGrid

_REGISTERS = 32
_VECTOR = f"float32x{LANES}"


def products_by_lane(loop: tirx.For, grid: ProductGrid, name: str) -> tirx.Stmt | None:
    """Return ``loop``, which computes ``grid``, four turns at a time, None if registers or turns do not suit that.

    It calls functions that come with it, whose names begin with ``name``. A single pixel is left to LLVM: such layers
    wait for their weights, and loads of numbers are not what they take time for.
    """
    if grid.pixels == 1 or grid.turns % LANES or grid.pixels * grid.vectors + grid.pixels + grid.vectors > _REGISTERS:
        return None
    products, kind = products_in(loop.body), loop.loop_var.ty.dtype
    turn = tirx.Var("turn", kind)
    first = turn * LANES
    body = [_add_by_lane(product, loop.loop_var, first, lane, name) for lane in range(LANES) for product in products]
    turns = tirx.const(grid.turns // LANES, kind)
    looped = tirx.For(turn, tirx.const(0, kind), turns, tirx.ForKind.SERIAL, tirx.SeqStmt(body))
    functions = "\n".join(_functions(name))
    return tirx.AttrStmt(StringImm(""), "pragma_import_llvm", StringImm(functions), looped)


def _add_by_lane(product: Product, variable: tirx.Var, first: tvm.ir.Expr, lane: int, name: str) -> tirx.Stmt:
    """Return what ``product`` is in turn ``first + lane``, by that lane of the numbers from ``first`` on."""
    (index,) = at(product.factor, variable, first).indices
    numbers = tirx.BufferLoad(product.factor.source, [tirx.Ramp(index, 1, LANES)])
    vector = at(product.vector, variable, first + lane)
    value = tirx.call_pure_extern(_VECTOR, f"{name}_lane{lane}", product.sums, vector, numbers)
    return tirx.BufferStore(product.sums.source, value, product.sums.indices)


def _functions(name: str) -> Iterator[str]:
    yield "declare <4 x float> @llvm.fma.v4f32(<4 x float>, <4 x float>, <4 x float>)"
    for lane in range(LANES):
        mask = ", ".join([f"i32 {lane}"] * LANES)
        parameters = "<4 x float> %sums, <4 x float> %vector, <4 x float> %numbers"
        yield f"define <4 x float> @{name}_lane{lane}({parameters}) alwaysinline {{"
        yield f"%number = shufflevector <4 x float> %numbers, <4 x float> poison, <4 x i32> <{mask}>"
        yield "%sum = call <4 x float> @llvm.fma.v4f32(<4 x float> %number, <4 x float> %vector, <4 x float> %sums)"
        yield "ret <4 x float> %sum"
        yield "}"
