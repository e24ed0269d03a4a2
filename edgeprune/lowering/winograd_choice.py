"""What Winograd's method gains on a convolution, by tiles of which size: a count of instructions."""

from __future__ import annotations

import math

from edgeprune.lowering.register_tile import VectorUnit
from edgeprune.lowering.winograd import Shape
from edgeprune.target.schema import Cpu

# Vector instructions per tile and vector of channels: loads, additions and multiplications, stores, for the transform
# of the input (by its edge) and for that of the sums with a bias and a rectifier (by size and window).
_INPUT = {4: 16 + 32 + 16, 6: 36 + 144 + 36}
_OUTPUT = {(2, 3): 16 + 24 + 12, (4, 3): 36 + 100 + 48, (2, 5): 36 + 64 + 12}
# Sizes of tiles by window.
_SIZES = {3: (2, 4), 5: (2,)}
# Vector instructions that pass while a core waits for one vector of weights. All weights of a network pass through the
# caches in every inference: small ARM cores have to fetch them from memory again, and streamed lines of 64 bytes then
# cost the Cortex-A53 and A7 some 30 cycles each (the emulated cores' tables).
_READ = {"aarch64": 4.0, "armv7": 4.0, "x86_64": 1.0, "native": 1.0}
# F(4, 3) keeps twice the weights of F(2, 3), in flash and in memory, and must be so much faster.
_WORTH_ITS_SIZE = 0.85
# What Winograd's method must gain at least: it takes more memory and rounds more.
_WORTH_IT = 0.8
# Below, a product is of a matrix and hardly more than a vector.
_FEWEST_TILES = 4
_MOST_VECTORS = 5
_COPIED = 1.2


def worthwhile_sizes(shape: Shape, lanes: int, cpu: Cpu) -> tuple[int, ...]:
    """Return 2 for F(2, 3) or F(2, 5), 4 for F(4, 3), where they pay.

    The last is the fastest, the first keeps fewest weights. ``lanes`` is a vector register in float32.
    """
    enough = _WORTH_IT * instructions(shape, None, lanes, cpu)
    found = []
    for size in [size for size in _SIZES[shape.window] if size <= cpu.winograd_tiles]:
        cost = instructions(shape, size, lanes, cpu)
        if cost < enough and math.prod(shape.tiles(size)) >= _FEWEST_TILES:
            found.append(size)
            enough = _WORTH_ITS_SIZE * cost
    return tuple(found)


def instructions(shape: Shape, size: int | None, lanes: int, cpu: Cpu) -> float:
    """Return the vector instructions of a convolution by tiles of ``size``, or by its definition."""
    read = _READ[cpu.isa]
    outputs = -(-shape.outputs // lanes)
    if size is None:
        height, width = shape.result
        return (height * width + read) * shape.window**2 * shape.inputs * outputs
    inputs = -(-shape.inputs // lanes)
    weights = shape.edge(size) ** 2 * shape.inputs * outputs
    transforms = _INPUT[shape.edge(size)] * inputs + _OUTPUT[size, shape.window] * outputs
    return math.prod(shape.tiles(size)) * (weights + transforms) + weights * read


def block_width(outputs: int, unit: VectorUnit) -> int:
    """Return over how many output channels a register tile of products goes, a multiple of ``unit.lanes[0]``.

    Of the widths that waste the fewest vectors on zeros, the one that needs the fewest loads. Where the last block
    holds vectors of zeros, results take a way round on which they are copied.
    """
    lanes = unit.lanes[0]
    needed = -(-outputs // lanes)

    def cost(vectors: int) -> float:
        tiles = (unit.registers - vectors - 1) // vectors
        copies = 1.0 if needed % vectors == 0 else _COPIED
        return copies * -(-needed // vectors) * vectors * (1 + (tiles + vectors) / (tiles * vectors))

    return lanes * min(range(1, min(_MOST_VECTORS, unit.registers // 2 - 1) + 1), key=cost)
