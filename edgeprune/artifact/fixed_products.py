"""Loops of products and maxima of vectors whose code is fixed here, in place of what LLVM makes of them."""

from __future__ import annotations

import tvm
from tvm import tirx
from tvm.ir.expr import StringImm, TensorLoad

from edgeprune.artifact.armv7_products import products_function
from edgeprune.artifact.armv7_window import window_function
from edgeprune.artifact.product import Product
from edgeprune.artifact.product_grid import product_grid
from edgeprune.artifact.vector_maxima import with_vector_maxima
from edgeprune.artifact.window_grid import window_grid


def fix_products(function: tirx.PrimFunc) -> tirx.PrimFunc:
    """Return ``function``, whose tiles are unrolled and whose target is ARMv7, with such loops as calls.

    What they call comes with them, and LLVM inlines it.
    """
    body = _Fixer(str(function.attrs["global_symbol"])).rewrite(function.body)
    return tirx.PrimFunc(function.params, body, function.ret_type, function.attrs)


class _Fixer:
    def __init__(self, symbol: str) -> None:
        self._symbol = symbol
        self._fixed = 0

    def rewrite(self, statement: tirx.Stmt) -> tirx.Stmt:
        if isinstance(statement, tirx.SeqStmt):
            return tirx.SeqStmt([self.rewrite(part) for part in statement.seq])
        if isinstance(statement, tirx.For):
            return self._loop(statement)
        if isinstance(statement, tirx.BufferStore):
            return tirx.BufferStore(statement.buffer, with_vector_maxima(statement.value), statement.indices)
        if isinstance(statement, tirx.IfThenElse):
            otherwise = self.rewrite(statement.else_case) if statement.else_case is not None else None
            return tirx.IfThenElse(statement.condition, self.rewrite(statement.then_case), otherwise)
        if isinstance(statement, tirx.AttrStmt):
            return tirx.AttrStmt(statement.node, statement.attr_key, statement.value, self.rewrite(statement.body))
        return statement

    def _loop(self, loop: tirx.For) -> tirx.Stmt:
        call = self._products(loop) or self._window(loop)
        if call is not None:
            return call
        body = self.rewrite(loop.body)
        return tirx.For(loop.loop_var, loop.min, loop.extent, loop.kind, body, None, loop.annotations, loop.step)

    def _products(self, loop: tirx.For) -> tirx.Stmt | None:
        grid = product_grid(loop)
        return None if grid is None else self._call(products_function(grid, self._next_name), grid.first)

    def _window(self, loop: tirx.For) -> tirx.Stmt | None:
        grid = window_grid(loop)
        return None if grid is None else self._call(window_function(grid, self._next_name), grid.first)

    @property
    def _next_name(self) -> str:
        return f"{self._symbol}_products{self._fixed}"

    def _call(self, function: str | None, first: Product) -> tirx.Stmt | None:
        if function is None:
            return None
        call = tirx.call_extern("int32", self._next_name, *(_address(load) for load in first.loads))
        self._fixed += 1
        return tirx.AttrStmt(StringImm(""), "pragma_import_llvm", StringImm(function), tirx.Evaluate(call))


def _address(load: TensorLoad) -> tvm.ir.Expr:
    (index,) = load.indices
    first = index.base if isinstance(index, tirx.Ramp) else index
    return tirx.call_intrin("handle", "tirx.address_of", tirx.BufferLoad(load.source, [first]))
