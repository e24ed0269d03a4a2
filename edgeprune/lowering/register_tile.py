"""How large a tile of sums a CPU's vector registers hold."""

from __future__ import annotations

from dataclasses import dataclass

import tvm

_MOST_PIXELS = 8
_MOST_VECTORS = 8
# Sums that must be under way at once: a multiply-add takes four cycles, and two start in each.
_CHAINS = 8
# What a load costs beyond its place beside the multiply-adds: inputs lie in the first cache, weights hardly ever.
_INPUT_LOAD = 0.5
_WEIGHT_LOAD = 1.0
# In float32.
_CACHE_LINE = 16
# Pixels of a depthwise tile whose addresses fit in general registers.
_MOST_ADDRESSES = 4


@dataclass(frozen=True)
class VectorUnit:
    """Lanes of one register in float32, and how many registers may hold sums; the others hold what is multiplied.

    ``offsets`` says whether loads of vectors take an offset. Where they do not, as on ARMv7, every vector that is
    loaded needs its address in one of a dozen general registers.
    """

    lanes: tuple[int, ...]
    sums: int
    registers: int
    offsets: bool = True

    @classmethod
    def of(cls, target: tvm.target.Target) -> VectorUnit:
        """Return the unit of ``target``'s CPU: 16 registers of NEON on ARMv7, 32 on AArch64, 16 of AVX on x86."""
        triple = str(target.attrs.get("mtriple", ""))
        if triple.startswith("aarch64"):
            return cls(lanes=(4,), sums=20, registers=32)
        if triple.startswith("arm"):
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


def products_per_cycle(pixels: int, vectors: int) -> float:
    """Return how many vectors of products a tile's sums take in half a cycle of a core that hides loads in part.

    Each step loads one value per pixel and one vector of weights per vector of the tile.
    """
    products = pixels * vectors
    return products / (max(products, pixels + vectors, _CHAINS) + _INPUT_LOAD * pixels + _WEIGHT_LOAD * vectors)


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
        for height in _divisors(pixels, _MOST_PIXELS):
            score = products_per_cycle(height, vectors)
            fits = height * vectors <= room and height * vectors + vectors + 1 <= unit.registers
            if fits and score > best_score:
                best, best_score = RegisterTile(height, vectors, lanes), score
    return best


def choose_depthwise_tile(pixels: int, channels: int, unit: VectorUnit, *, multiplies: bool) -> RegisterTile | None:
    """Return the tile for a reduction whose inputs lie in step with its channels, None where no vector divides them.

    Every pixel has vectors of its own to multiply, so that a larger tile saves no loads: it should keep enough sums
    under way, and take whole lines from the cache; without offsets, as many pixels as there are addresses for.
    """
    lanes = next((lanes for lanes in unit.lanes if channels % lanes == 0), None)
    if lanes is None or not multiplies:
        return None
    if not unit.offsets:
        return RegisterTile(_divisors(pixels, _MOST_ADDRESSES)[-1], 1, lanes)
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
