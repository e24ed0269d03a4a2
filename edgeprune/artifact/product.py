"""Vectors of products that a loop adds to sums, as TIR has them once tiles are unrolled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import tvm
from tvm import tirx
from tvm.ir.expr import TensorLoad
from tvm.ir.prim.expr import BitwiseAnd, BitwiseOr
from tvm.sym import Analyzer

LANES = 4
_VECTOR = f"float32x{LANES}"


@dataclass(frozen=True)
class Product:
    """``sums += factor * vector``: the factor is a vector, too, or where ``broadcasts`` one number for all lanes."""

    sums: TensorLoad
    factor: TensorLoad
    vector: TensorLoad
    broadcasts: bool

    @classmethod
    def of(cls, loads: Sequence[TensorLoad], *, broadcasts: bool) -> Product:
        """Return the product of ``loads``: sums, factor and vector."""
        sums, factor, vector = loads
        return cls(sums, factor, vector, broadcasts)

    @property
    def loads(self) -> tuple[TensorLoad, TensorLoad, TensorLoad]:
        """Return sums, factor and vector."""
        return self.sums, self.factor, self.vector


@dataclass(frozen=True)
class Offsets:
    """How far the loads of a product are from those of another, in numbers."""

    sums: int
    factor: int
    vector: int


def products_in(body: tirx.Stmt) -> tuple[Product, ...]:
    """Return the products that ``body`` consists of, none where it is more than products of the same buffers."""
    parts = list(body.seq) if isinstance(body, tirx.SeqStmt) else [body]
    products = [product for product in map(_product, parts) if product is not None]
    return tuple(products) if len(products) == len(parts) and _alike(products) else ()


def _product(statement: tirx.Stmt) -> Product | None:
    value = statement.value if isinstance(statement, tirx.BufferStore) else None
    if not isinstance(value, tirx.Add) or str(value.ty.dtype) != _VECTOR or not isinstance(value.b, tirx.Mul):
        return None
    sums, factor, vector = value.a, value.b.a, value.b.b
    broadcasts = isinstance(factor, tirx.Broadcast)
    factor = factor.value if broadcasts else factor
    if not all(isinstance(load, TensorLoad) and len(load.indices) == 1 for load in (sums, factor, vector)):
        return None
    written = tirx.BufferLoad(statement.buffer, statement.indices)
    same = sums.source.same_as(statement.buffer) and distance(sums, written) == 0
    return Product(sums, factor, vector, broadcasts) if same else None


def _alike(products: Sequence[Product]) -> bool:
    first = products[0]
    return all(
        product.broadcasts == first.broadcasts
        and all(load.source.same_as(other.source) for load, other in zip(product.loads, first.loads, strict=True))
        for product in products
    )


def offsets_of(products: Sequence[Product]) -> tuple[Offsets, ...] | None:
    """Return how far the loads of each product are from the first one's, None where that is not always the same."""
    found = []
    for product in products:
        distances = [distance(load, other) for load, other in zip(product.loads, products[0].loads, strict=True)]
        if None in distances:
            return None
        found.append(Offsets(*distances))  # type: ignore[arg-type]
    return tuple(found)


def distance(load: TensorLoad, other: TensorLoad) -> int | None:
    """Return how many numbers ``load`` reads after ``other`` of the same buffer, None where that varies."""
    difference = Analyzer().simplify(_first(load) - _first(other))
    return int(difference) if isinstance(difference, tirx.IntImm) else None


def step(load: TensorLoad, variable: tirx.Var) -> int | None:
    """Return how much further ``load`` reads in the next turn of the loop over ``variable``, in numbers."""
    turn = tirx.Var("turn", variable.ty.dtype)
    return distance(at(load, variable, turn + 1), at(load, variable, turn))


def at(load: TensorLoad, variable: tirx.Var, value: tvm.ir.Expr | int) -> TensorLoad:
    """Return ``load`` as it is where ``variable`` is ``value``."""
    (index,) = load.indices
    analyzer = Analyzer()
    analyzer.bind(variable, tirx.const(value, variable.ty.dtype) if isinstance(value, int) else value)
    if not isinstance(index, tirx.Ramp):
        return tirx.BufferLoad(load.source, [analyzer.simplify(_plain(index))])
    base = analyzer.simplify(_plain(index.base))
    return tirx.BufferLoad(load.source, [tirx.Ramp(base, index.stride, index.lanes)])


def _first(load: TensorLoad) -> tvm.ir.Expr:
    """Return which number is the first that ``load`` reads: buffers hold numbers, or vectors of them."""
    (index,) = load.indices
    base = index.base if isinstance(index, tirx.Ramp) else index
    return _plain(base) * tvm.DataType(str(load.source.dtype)).lanes


def _plain(index: tvm.ir.Expr) -> tvm.ir.Expr:
    """Return ``index`` without what `edgeprune.lowering.winograd.hidden` put around parts of it."""
    if isinstance(index, tirx.Add):
        return _plain(index.a) + _plain(index.b)
    return index.a if isinstance(index, BitwiseAnd | BitwiseOr) else index
