"""Recognising the two inner loops of a depthwise register tile: vectors of some pixels times those of a window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tvm import tirx
from tvm.ir.expr import TensorLoad

from edgeprune.artifact.product import Offsets, Product, at, offsets_of, products_in, step

# Code of their own is written out in full: of how many products at most.
_MOST_PRODUCTS = 160


@dataclass(frozen=True)
class Walk:
    """How far apart vectors are that one row of a window reads in turn, and from row to row, in numbers."""

    column: int
    row: int


@dataclass(frozen=True)
class WindowGrid:
    """``sums[p] += image[y][p * stride + x] * weight[y][x]`` for each ``y`` below ``rows``, ``x`` below ``columns``.

    ``sums`` are offsets in numbers from those of ``first``, by pixel.
    """

    rows: int
    columns: int
    stride: int
    sums: tuple[int, ...]
    image: Walk
    weights: Walk
    first: Product

    @property
    def span(self) -> int:
        """Return how many columns of the image are read."""
        return (len(self.sums) - 1) * self.stride + self.columns


def window_grid(loop: tirx.For) -> WindowGrid | None:
    """Return what ``loop``, over the rows of a window, does, if it is such products and nothing else."""
    inner = loop.body
    if not isinstance(inner, tirx.For) or not (_is_counted(loop) and _is_counted(inner)):
        return None
    products = products_in(inner.body)
    offsets = offsets_of(products) if products and not products[0].broadcasts else None
    extents = int(loop.extent), int(inner.extent)
    if offsets is None or len(offsets) * extents[0] * extents[1] > _MOST_PRODUCTS:
        return None
    _, *walks = (_walk(load, loop.loop_var, inner.loop_var) for load in products[0].loads)
    image, weights = walks
    if _walk(products[0].sums, loop.loop_var, inner.loop_var) != Walk(0, 0) or image is None or weights is None:
        return None
    apart = offsets[1].factor if len(offsets) > 1 else image.column
    if image.column <= 0 or apart <= 0 or apart % image.column or not _is_row(offsets, apart):
        return None
    loads = [at(at(load, inner.loop_var, 0), loop.loop_var, 0) for load in products[0].loads]
    sums = tuple(place.sums for place in offsets)
    return WindowGrid(*extents, apart // image.column, sums, image, weights, Product.of(loads, broadcasts=False))


def _is_row(offsets: Sequence[Offsets], apart: int) -> bool:
    """Return whether the products of a turn are those of pixels side by side, each with sums of its own."""
    side_by_side = [place.factor for place in offsets] == [index * apart for index in range(len(offsets))]
    return side_by_side and all(p.vector == 0 for p in offsets) and len({p.sums for p in offsets}) == len(offsets)


def _is_counted(loop: tirx.For) -> bool:
    return isinstance(loop.extent, tirx.IntImm) and int(loop.min) == 0


def _walk(load: TensorLoad, row: tirx.Var, column: tirx.Var) -> Walk | None:
    steps = step(load, column), step(load, row)
    return None if None in steps else Walk(*steps)  # type: ignore[arg-type]
