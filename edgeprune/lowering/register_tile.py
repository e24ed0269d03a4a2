"""How large a tile of sums a CPU's vector registers hold."""

from __future__ import annotations

from dataclasses import dataclass

import tvm

from edgeprune.lowering.llvm_target import is_aarch64, is_armv7

_MOST_PIXELS = 8
# Where products are taken by lane, of which a register holds those of two pixels.
_MOST_PIXELS_BY_LANE = 10
# With the vectors of a window of 3x3, that many sums leave registers for those of the image.
_MOST_PIXELS_OF_A_WINDOW = 12
_MOST_VECTORS = 8
# Sums that must be under way at once: a multiply-add takes four cycles, and two start in each.
_CHAINS = 8
# What a load costs beyond its place beside the multiply-adds: inputs lie in the first cache, weights hardly ever.
_INPUT_LOAD = 0.5
_WEIGHT_LOAD = 1.0
# Cycles of the Cortex-A7 by those of a vector of products: for a number of a pixel, for a vector of weights, for the
# wait for one when no register is left for the next, and for a turn of a loop over two or four numbers of each pixel.
_LANE_LOAD = 0.125
_VECTOR_LOAD = 0.5
_WAIT = 0.25
_TURN = 0.25
# In float32.
_CACHE_LINE = 16


@dataclass(frozen=True)
class VectorUnit:
    """Lanes of one register in float32, and how many registers may hold sums; the others hold what is multiplied.

    ``offsets`` says whether loads of vectors take an offset. Where they do not, as on ARMv7, products have code of
    their own (`edgeprune.artifact.fixed_products`), in which an address walks from vector to vector.
    """

    lanes: tuple[int, ...]
    sums: int
    registers: int
    offsets: bool = True

    @property
    def is_neon(self) -> bool:
        """Return whether this is ARM's unit, of 32 registers, or of 16 without offsets."""
        return self.registers == 32 or not self.offsets

    @property
    def most_pixels(self) -> int:
        """Return how many pixels a tile may have."""
        return _MOST_PIXELS if self.offsets else _MOST_PIXELS_BY_LANE

    def holds(self, pixels: int, vectors: int) -> bool:
        """Return whether the registers hold a tile's sums and what a step multiplies."""
        operands = vectors + 1 if self.offsets else (pixels + 1) // 2 + 1
        return pixels * vectors + operands <= self.registers

    def products_per_cycle(self, pixels: int, vectors: int) -> float:
        """Return how many vectors of products a tile's sums take in half a cycle, in a core that hides loads in part.

        Each step loads one value per pixel and one vector of weights per vector of the tile. Cores with ARMv7 hide
        nothing: there it is products in the time of one.
        """
        products = pixels * vectors
        if self.offsets:
            return products / (max(products, pixels + vectors, _CHAINS) + _INPUT_LOAD * pixels + _WEIGHT_LOAD * vectors)
        free = self.registers - products
        waits = _WAIT * vectors if free - (pixels + 1) // 2 < 2 else 0.0
        turn = _TURN / (4 if free - pixels >= 2 else 2)
        return products / (products + _LANE_LOAD * pixels + _VECTOR_LOAD * vectors + waits + turn)

    @classmethod
    def of(cls, target: tvm.target.Target) -> VectorUnit:
        """Return the unit of ``target``'s CPU: 16 registers of NEON on ARMv7, 32 on AArch64, 16 of AVX on x86."""
        if is_aarch64(target):
            return cls(lanes=(4,), sums=20, registers=32)
        if is_armv7(target):
            return cls(lanes=(4,), sums=10, registers=16, offsets=False)
        return cls(lanes=(8, 4), sums=12, registers=16)

    def holding(self, dtype: str) -> VectorUnit:
        """Return the unit as it is for ``dtype``: a register holds twice as many in float16."""
        if dtype != "float16":
            return self
        return VectorUnit(
            lanes=tuple(sorted({2 * self.lanes[0], *self.lanes}, reverse=True)),
            sums=self.sums,
            registers=self.registers,
            offsets=self.offsets,
        )


@dataclass(frozen=True)
class RegisterTile:
    """``pixels`` neighbouring pixels by ``vectors`` vectors of ``lanes`` channels."""

    pixels: int
    vectors: int
    lanes: int


def choose_tile(pixels: int, channels: int, unit: VectorUnit, *, multiplies: bool) -> RegisterTile | None:
    """Return the tile with the most products per cycle, or None where no vector divides ``channels``.

    A reduction that does not multiply (pooling) gains nothing from width and gets a small tile, which keeps its code
    small.
    """
    lanes = next((lanes for lanes in unit.lanes if channels % lanes == 0), None)
    if lanes is None:
        return None
    room = unit.sums if multiplies else 4
    best, best_score = RegisterTile(1, 1, lanes), 0.0
    for vectors in _divisors(channels // lanes, _MOST_VECTORS):
        for height in _divisors(pixels, unit.most_pixels):
            score = unit.products_per_cycle(height, vectors)
            fits = height * vectors <= room and unit.holds(height, vectors)
            if fits and score > best_score:
                best, best_score = RegisterTile(height, vectors, lanes), score
    return best


def choose_depthwise_tile(pixels: int, channels: int, unit: VectorUnit, *, multiplies: bool) -> RegisterTile | None:
    """Return the tile for a reduction whose inputs lie in step with its channels, None where no vector divides them.

    Vectors of the image that lie in several windows of a tile are loaded once if it is a row of pixels, which suits
    cores that run in order. On x86 it should keep enough sums under way, and take whole lines from the cache.
    """
    lanes = next((lanes for lanes in unit.lanes if channels % lanes == 0), None)
    if lanes is None or not multiplies:
        return None
    if unit.is_neon:
        most = _MOST_PIXELS_OF_A_WINDOW if unit.offsets else _MOST_PIXELS
        return RegisterTile(_divisors(pixels, most)[-1], 1, lanes)
    tiles = [
        RegisterTile(height, vectors, lanes)
        for vectors in _divisors(channels // lanes, _MOST_VECTORS)
        for height in _divisors(pixels, _MOST_PIXELS)
        if height * vectors <= unit.sums
    ]
    line = _CACHE_LINE // lanes
    return max(tiles, key=lambda t: (min(t.pixels * t.vectors, _CHAINS), min(t.vectors, line), t.pixels))


def _divisors(number: int, most: int) -> list[int]:
    return [divisor for divisor in range(1, min(number, most) + 1) if number % divisor == 0]
