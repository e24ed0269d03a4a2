"""Which convolutions are computed by Winograd's method, and by tiles of which size: a count of instructions."""

from __future__ import annotations

import math

from edgeprune.lowering.register_tile import VectorUnit
from edgeprune.lowering.winograd import Shape

# Vector instructions per tile and vector of channels: loads, additions and multiplications, stores, for the transform
# of the input and for that of the sums with a bias and a rectifier.
_INPUT = {2: 16 + 32 + 16, 4: 36 + 144 + 36}
_OUTPUT = {2: 16 + 24 + 12, 4: 36 + 100 + 48}
# Instructions that pass while a core reads one vector of weights from beyond its first cache.
_READ = 1.0
# What Winograd's method must gain at least: it takes more memory and rounds more.
_WORTH_IT = 0.8
# Below, a product is of a matrix and hardly more than a vector.
_FEWEST_TILES = 4
_MOST_VECTORS = 4


def winograd_size(shape: Shape, lanes: int) -> int | None:
    """Return 2 for F(2, 3), 4 for F(4, 3), None where the definition of the convolution is as fast.

    ``lanes`` is a vector register in float32. All convolutions of 3x3, stride 1 and one group qualify.
    """
    outputs = -(-shape.outputs // lanes)
    height, width = shape.result
    direct = height * width * 9 * shape.inputs * outputs + 9 * shape.inputs * outputs * _READ
    costs = {size: _cost(shape, size, lanes) for size in _INPUT}
    best = min(costs, key=lambda size: costs[size])
    return best if costs[best] < _WORTH_IT * direct and math.prod(shape.tiles(best)) >= _FEWEST_TILES else None


def _cost(shape: Shape, size: int, lanes: int) -> float:
    inputs, outputs = -(-shape.inputs // lanes), -(-shape.outputs // lanes)
    down, across = shape.tiles(size)
    weights = (size + 2) ** 2 * shape.inputs * outputs
    transforms = _INPUT[size] * inputs + _OUTPUT[size] * outputs
    return down * across * (weights + transforms) + weights * _READ


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
