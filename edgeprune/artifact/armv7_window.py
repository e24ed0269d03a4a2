"""The products of a depthwise register tile on ARMv7: a row of the image is loaded once for all columns of the window.

LLVM loads a vector of the image per product, and needs an address in a register for each.
"""

from __future__ import annotations

from collections.abc import Iterator

from edgeprune.artifact.armv7_function import BYTES, REGISTERS, Code, Operands, llvm_function
from edgeprune.artifact.product import LANES
from edgeprune.artifact.window_grid import Walk, WindowGrid

# Vectors that one VLD1 takes.
_MOST_AT_ONCE = 2
# Of the image: one is multiplied while the other is loaded.
_HALVES = 2


def window_function(grid: WindowGrid, name: str) -> str | None:
    """Return an LLVM function of the addresses of first sum, image and weights, None if registers do not suffice."""
    free = REGISTERS - len(grid.sums) - grid.columns
    together = min(free // _HALVES, _MOST_AT_ONCE if grid.image.column == LANES else 1)
    if together < 1:
        return None
    lines = tuple(_lines(grid, together, Operands(len(grid.sums))))
    last = (grid.span - 1) % together + 1
    constants = (*_ways(grid.image, grid.span, last), *_ways(grid.weights, grid.columns, 1))
    return llvm_function(name, grid.sums, Code(lines, grid.columns + together * _HALVES, 1, constants))


def _ways(walk: Walk, columns: int, last: int) -> tuple[int, int]:
    """Return the ways from a column to the next and from the last load of a row to the next row's first, in bytes."""
    return BYTES * walk.column, BYTES * (walk.row - walk.column * (columns - last))


def _lines(grid: WindowGrid, together: int, operands: Operands) -> Iterator[str]:
    starts = range(0, grid.span, together)
    for row in range(grid.rows):
        last = row == grid.rows - 1
        for tap in range(grid.columns):
            yield _load(operands, 1, grid.weights, tap, 1, ends=tap == grid.columns - 1 and not last)
        counts = [min(together, grid.span - first) for first in starts]
        registers = [grid.columns + index % _HALVES * together for index in range(len(counts))]
        loads = [
            _load(operands, 0, grid.image, register, count, ends=first + count == grid.span and not last)
            for register, count, first in zip(registers, counts, starts, strict=True)
        ]
        yield loads[0]
        for index, first in enumerate(starts):
            yield from loads[index + 1 : index + 2]
            for column in range(counts[index]):
                yield from _multiply(grid, operands, first + column, registers[index] + column)


def _load(operands: Operands, which: int, walk: Walk, register: int, count: int, *, ends: bool) -> str:
    """Return the load of ``count`` vectors of the image (0) or the weights (1) into registers from ``register`` on."""
    # Two vectors are loaded only where they follow each other.
    address = (operands.factor, operands.vector)[which]
    registers = f"{{d{2 * register}-d{2 * (register + count) - 1}}}"
    follows = walk.column == LANES and not ends
    return f"vld1.32 {registers}, [{address}]" + ("!" if follows else f", {operands.constant(2 * which + ends)}")


def _multiply(grid: WindowGrid, operands: Operands, column: int, register: int) -> Iterator[str]:
    for tap in range(grid.columns):
        pixel, between = divmod(column - tap, grid.stride)
        if between == 0 and 0 <= pixel < len(grid.sums):
            yield f"vmla.f32 {operands.sum(pixel)}, q{register}, q{tap}"
