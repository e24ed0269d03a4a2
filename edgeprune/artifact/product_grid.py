"""Recognising the inner loop of a register tile: every number of some pixels times every vector of some weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tvm import tirx

from edgeprune.artifact.product import LANES, Offsets, Product, at, offsets_of, products_in, step

# A loop of fewer turns is not worth code of its own.
_FEWEST_TURNS = 4


@dataclass(frozen=True)
class ProductGrid:
    """For each ``k`` below ``turns``, ``sums[p][v] += number[p][k] * vector[k][v]``, of which no two are the same.

    Numbers of one pixel follow each other, pixels are ``apart`` numbers apart; the vectors of one ``k`` follow each
    other, and those of the next one begin ``step`` numbers later. ``sums`` are offsets in numbers from those of
    ``first``, by pixel and vector.
    """

    turns: int
    sums: tuple[tuple[int, ...], ...]
    apart: int
    step: int
    first: Product

    @property
    def pixels(self) -> int:
        """Return how many numbers are multiplied in a turn."""
        return len(self.sums)

    @property
    def vectors(self) -> int:
        """Return how many vectors each number is multiplied with."""
        return len(self.sums[0])

    @property
    def streams(self) -> bool:
        """Return whether the vectors of one ``k`` follow those of the one before without a gap."""
        return self.step == LANES * self.vectors


def product_grid(loop: tirx.For) -> ProductGrid | None:
    """Return what ``loop`` does if it is a grid of products and nothing else."""
    if not isinstance(loop.extent, tirx.IntImm) or int(loop.extent) < _FEWEST_TURNS or int(loop.min) != 0:
        return None
    products = products_in(loop.body)
    offsets = offsets_of(products) if products and products[0].broadcasts else None
    arranged = _arranged(offsets) if offsets is not None else None
    if arranged is None:
        return None
    still, next_number, next_vectors = (step(load, loop.loop_var) for load in products[0].loads)
    if (still, next_number) != (0, 1) or next_vectors is None:
        return None
    first = Product.of([at(load, loop.loop_var, 0) for load in products[0].loads], broadcasts=True)
    return ProductGrid(int(loop.extent), *arranged, next_vectors, first)


def _arranged(offsets: Sequence[Offsets]) -> tuple[tuple[tuple[int, ...], ...], int] | None:
    """Return the sums' offsets by pixel and vector, and how far pixels are apart, if they make a grid."""
    numbers = sorted({place.factor for place in offsets})
    vectors = sorted({place.vector for place in offsets})
    sums = {(place.factor, place.vector): place.sums for place in offsets}
    apart = numbers[1] - numbers[0] if len(numbers) > 1 else 0
    regular = numbers == [index * apart for index in range(len(numbers))]
    regular = regular and vectors == [index * LANES for index in range(len(vectors))]
    full = len(sums) == len(set(sums.values())) == len(offsets) == len(numbers) * len(vectors)
    if not (full and regular):
        return None
    return tuple(tuple(sums[number, vector] for vector in vectors) for number in numbers), apart
