"""Which convolutions are computed by Winograd's method, and by tiles of which size: a count of instructions."""

from __future__ import annotations

import math

from edgeprune.lowering.register_tile import VectorUnit
from edgeprune.lowering.winograd import Shape
from edgeprune.target.schema import Cpu

# Vector instructions per tile and vector of channels: loads, additions and multiplications, stores, for the transform
# of the input and for that of the sums with a bias and a rectifier.
_INPUT = {2: 16 + 32 + 16, 4: 36 + 144 + 36}
_OUTPUT = {2: 16 + 24 + 12, 4: 36 + 100 + 48}
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
_MOST_VECTORS = 4


def winograd_size(shape: Shape, lanes: int, cpu: Cpu) -> int | None:
    """Return 2 for F(2, 3), 4 for F(4, 3), None where the definition is as fast or the target wants no such method.

    ``lanes`` is a vector register in float32. All convolutions of 3x3, stride 1 and one group qualify.
    """
    if not cpu.winograd:
        return None
    read = _READ[cpu.isa]
    enough = _WORTH_IT * _direct_cost(shape, lanes, read)
    best = None
    for size in (2, 4):
        cost = _cost(shape, size, lanes, read)
        if cost < enough and math.prod(shape.tiles(size)) >= _FEWEST_TILES:
            best, enough = size, _WORTH_ITS_SIZE * cost
    return best


def _direct_cost(shape: Shape, lanes: int, read: float) -> float:
    height, width = shape.result
    return (height * width + read) * 9 * shape.inputs * -(-shape.outputs // lanes)


def _cost(shape: Shape, size: int, lanes: int, read: float) -> float:
    inputs, outputs = -(-shape.inputs // lanes), -(-shape.outputs // lanes)
    down, across = shape.tiles(size)
    weights = (size + 2) ** 2 * shape.inputs * outputs
    transforms = _INPUT[size] * inputs + _OUTPUT[size] * outputs
    return down * across * (weights + transforms) + weights * read


def block_width(outputs: int, unit: VectorUnit) -> int:
    """Return over how many output channels a register tile of products goes, a multiple of ``unit.lanes[0]``.

    Of the widths that waste the fewest vectors on zeros, the one that needs the fewest loads.
    """
    lanes = unit.lanes[0]
    needed = -(-outputs // lanes)

    def cost(vectors: int) -> float:
        tiles = (unit.registers - vectors - 1) // vectors
        return -(-needed // vectors) * vectors * (1 + (tiles + vectors) / (tiles * vectors))

    return lanes * min(range(1, _MOST_VECTORS + 1), key=cost)
