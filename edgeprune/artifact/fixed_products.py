"""Loops of products and maxima of vectors whose code is fixed here for ARM, in place of what LLVM makes of them."""

from __future__ import annotations

from abc import ABC, abstractmethod

import tvm
from tvm import tirx
from tvm.ir.expr import StringImm, TensorLoad

from edgeprune.artifact.aarch64_products import products_by_lane
from edgeprune.artifact.armv7_products import products_function
from edgeprune.artifact.armv7_window import window_function
from edgeprune.artifact.product import Product
from edgeprune.artifact.product_grid import product_grid
from edgeprune.artifact.vector_maxima import with_vector_maxima
from edgeprune.artifact.window_grid import window_grid
from edgeprune.lowering.llvm_target import is_aarch64, is_armv7


def fix_products(function: tirx.PrimFunc, target: tvm.target.Target) -> tirx.PrimFunc:
    """Return ``function``, whose tiles are unrolled, with code of its own for what LLVM does worse on ``target``.

    What that code calls comes with it, and LLVM inlines it.
    """
    if not (is_armv7(target) or is_aarch64(target)):
        return function
    symbol = str(function.attrs["global_symbol"])
    fixer = _Armv7Fixer(symbol) if is_armv7(target) else _Aarch64Fixer(symbol)
    return tirx.PrimFunc(function.params, fixer.rewrite(function.body), function.ret_type, function.attrs)


class _Fixer(ABC):
    """Walks over a function; its subclasses fix loops, and what is stored."""

    def __init__(self, symbol: str) -> None:
        self._symbol = symbol
        self._fixed = 0

    def rewrite(self, statement: tirx.Stmt) -> tirx.Stmt:
        if isinstance(statement, tirx.SeqStmt):
            return tirx.SeqStmt([self.rewrite(part) for part in statement.seq])
        if isinstance(statement, tirx.For):
            return self.fixed_loop(statement) or self._loop(statement)
        if isinstance(statement, tirx.BufferStore):
            return tirx.BufferStore(statement.buffer, self.fixed_value(statement.value), statement.indices)
        if isinstance(statement, tirx.IfThenElse):
            otherwise = self.rewrite(statement.else_case) if statement.else_case is not None else None
            return tirx.IfThenElse(statement.condition, self.rewrite(statement.then_case), otherwise)
        if isinstance(statement, tirx.AttrStmt):
            return tirx.AttrStmt(statement.node, statement.attr_key, statement.value, self.rewrite(statement.body))
        return statement

    @abstractmethod
    def fixed_loop(self, loop: tirx.For) -> tirx.Stmt | None:
        """Return what takes the place of ``loop``, None where it stays a loop."""

    def fixed_value(self, value: tvm.ir.Expr) -> tvm.ir.Expr:
        """Return what is stored in place of ``value``."""
        return value

    def next_name(self) -> str:
        """Return a name for functions, another one each time."""
        self._fixed += 1
        return f"{self._symbol}_products{self._fixed}"

    def _loop(self, loop: tirx.For) -> tirx.Stmt:
        body = self.rewrite(loop.body)
        return tirx.For(loop.loop_var, loop.min, loop.extent, loop.kind, body, None, loop.annotations, loop.step)


class _Armv7Fixer(_Fixer):
    def fixed_loop(self, loop: tirx.For) -> tirx.Stmt | None:
        name = self.next_name()
        grid, window = product_grid(loop), window_grid(loop)
        if grid is not None:
            return _call(name, products_function(grid, name), grid.first)
        return _call(name, window_function(window, name), window.first) if window is not None else None

    def fixed_value(self, value: tvm.ir.Expr) -> tvm.ir.Expr:
        return with_vector_maxima(value)


class _Aarch64Fixer(_Fixer):
    def fixed_loop(self, loop: tirx.For) -> tirx.Stmt | None:
        grid = product_grid(loop)
        return products_by_lane(loop, grid, self.next_name()) if grid is not None else None


def _call(name: str, function: str | None, first: Product) -> tirx.Stmt | None:
    """Return a call of ``function``, which comes with it."""
    if function is None:
        return None
    call = tirx.call_extern("int32", name, *(_address(load) for load in first.loads))
    return tirx.AttrStmt(StringImm(""), "pragma_import_llvm", StringImm(function), tirx.Evaluate(call))


def _address(load: TensorLoad) -> tvm.ir.Expr:
    (index,) = load.indices
    first = index.base if isinstance(index, tirx.Ramp) else index
    return tirx.call_intrin("handle", "tirx.address_of", tirx.BufferLoad(load.source, [first]))
