"""The products of a register tile by NEON's multiply-adds by lane, which LLVM does not use.

LLVM fuses multiplications with additions, and then broadcasts each number into a vector of its own: VFMA has no form
by lane. VMLA has. Here two or four numbers of a pixel are one load, one address walks over all pixels by its
increments, and several vectors of weights come by one load.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from edgeprune.artifact.armv7_function import BYTES, REGISTERS, Code, Operands, llvm_function
from edgeprune.artifact.product import LANES
from edgeprune.artifact.product_grid import ProductGrid

# Lanes are those of the registers q0 to q7.
_WITH_LANES = 8
# Vectors that one VLD1 takes.
_MOST_AT_ONCE = 2


@dataclass(frozen=True)
class _Place:
    """The vector of weights that is multiplied with number ``lane`` of each pixel for sums ``vector``."""

    lane: int
    vector: int


@dataclass(frozen=True)
class _Plan:
    """``numbers`` of each pixel are loaded at once, ``together`` vectors of weights into registers from ``weights`` on.

    Those before hold the pixels' numbers. With two ``halves`` of such registers, vectors are loaded into one while
    those of the other are multiplied.
    """

    numbers: int
    weights: int
    together: int
    halves: int

    @property
    def registers(self) -> int:
        """Return how many registers hold neither sums nor what others keep."""
        return self.weights + self.together * self.halves

    def half(self, part: int) -> int:
        """Return the first register for vectors of the ``part`` of a turn."""
        return self.weights + part % self.halves * self.together


def products_function(grid: ProductGrid, name: str) -> str | None:
    """Return an LLVM function of the addresses of first sum, number and vector, None if registers do not suffice."""
    plan = _plan(grid)
    if plan is None:
        return None
    sums = [offset for row in grid.sums for offset in row]
    lines = tuple(_lines(grid, plan, Operands(len(sums))))
    to_next_pixel = BYTES * grid.apart
    to_first_pixel = BYTES * (plan.numbers - grid.apart * (grid.pixels - 1))
    last = len(_parts(grid, plan, 1)[-1])
    to_next_vectors = BYTES * (grid.step - LANES * (grid.vectors - last))
    constants = (to_next_pixel, to_first_pixel, to_next_vectors)
    return llvm_function(name, sums, Code(lines, plan.registers, grid.turns // plan.numbers, constants))


def _plan(grid: ProductGrid) -> _Plan | None:
    """Return four numbers of a pixel at a time where registers and turns allow, or else two."""
    sums = grid.pixels * grid.vectors
    for numbers, enough in ((4, 2), (2, 1)):
        weights = -(-grid.pixels * numbers // 4)
        free = REGISTERS - sums - weights
        if free >= enough and weights <= _WITH_LANES and (grid.turns % numbers == 0 or numbers == 2):
            halves = min(free, 2)
            return _Plan(numbers, weights, min(free // halves, grid.vectors, _MOST_AT_ONCE), halves)
    return None


def _lines(grid: ProductGrid, plan: _Plan, operands: Operands) -> Iterator[str]:
    yield "1:"
    yield from _turn(grid, plan, operands, plan.numbers, _load_numbers(grid, plan, operands))
    yield "bne 1b"
    if grid.turns % plan.numbers:
        yield from _turn(grid, plan, operands, 1, _load_last_numbers(grid, operands))


def _load_numbers(grid: ProductGrid, plan: _Plan, operands: Operands) -> Iterator[str]:
    for pixel in range(grid.pixels):
        first = pixel * plan.numbers // 2
        registers = f"d{first}" if plan.numbers == 2 else f"d{first}-d{first + 1}"
        step = operands.constant(0 if pixel < grid.pixels - 1 else 1)
        yield f"vld1.32 {{{registers}}}, [{operands.factor}], {step}"
    yield f"subs {operands.turns}, {operands.turns}, #1"


def _load_last_numbers(grid: ProductGrid, operands: Operands) -> Iterator[str]:
    for pixel in range(grid.pixels):
        yield f"vld1.32 {{d{pixel}[0]}}, [{operands.factor}], {operands.constant(0)}"


def _turn(
    grid: ProductGrid, plan: _Plan, operands: Operands, numbers: int, load_numbers: Iterator[str]
) -> Iterator[str]:
    """Load vectors, then what they are multiplied with, so that none is waited for, and each next part in time."""
    parts = _parts(grid, plan, numbers)
    loads = [_load_vectors(grid, plan, operands, part, plan.half(index)) for index, part in enumerate(parts)]
    yield loads[0]
    yield from load_numbers
    for index, part in enumerate(parts):
        ahead = plan.halves - 1
        if ahead and index + 1 < len(parts):
            yield loads[index + 1]
        if not ahead and index > 0:
            yield loads[index]
        yield from _multiply(grid, plan, operands, part, plan.half(index))


def _multiply(grid: ProductGrid, plan: _Plan, operands: Operands, part: list[_Place], first: int) -> Iterator[str]:
    for index, place in enumerate(part):
        for pixel in range(grid.pixels):
            number = pixel * plan.numbers + place.lane
            sums = operands.sum(pixel * grid.vectors + place.vector)
            yield f"vmla.f32 {sums}, q{first + index}, d{number // 2}[{number % 2}]"


def _parts(grid: ProductGrid, plan: _Plan, numbers: int) -> list[list[_Place]]:
    """Return which vectors are loaded together."""
    rows = [[_Place(lane, vector) for vector in range(grid.vectors)] for lane in range(numbers)]
    return [row[first : first + plan.together] for row in rows for first in range(0, len(row), plan.together)]


def _load_vectors(grid: ProductGrid, plan: _Plan, operands: Operands, part: list[_Place], first: int) -> str:
    registers = f"{{d{2 * first}-d{2 * (first + len(part)) - 1}}}"
    last = part[-1].vector == grid.vectors - 1 and not grid.streams
    return f"vld1.32 {registers}, [{operands.vector}]" + (f", {operands.constant(2)}" if last else "!")
