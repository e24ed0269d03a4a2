"""How large a tile of sums a CPU's vector registers hold."""

from __future__ import annotations

from dataclasses import dataclass

import tvm

_MOST_PIXELS = 8
_MOST_VECTORS = 8


@dataclass(frozen=True)
class VectorUnit:
    """Lanes of one register in float32, and how many registers may hold sums; the others hold what is multiplied."""

    lanes: tuple[int, ...]
    sums: int
    registers: int

    @classmethod
    def of(cls, target: tvm.target.Target) -> VectorUnit:
        """Return the unit of ``target``'s CPU: 16 registers of NEON on ARMv7, 32 on AArch64, 16 of AVX on x86."""
        triple = str(target.attrs.get("mtriple", ""))
        if triple.startswith("aarch64"):
            return cls(lanes=(4,), sums=20, registers=32)
        if triple.startswith("arm"):
            return cls(lanes=(4,), sums=10, registers=16)
        return cls(lanes=(8, 4), sums=12, registers=16)

    def holding(self, dtype: str) -> VectorUnit:
        """Return the unit as it is for ``dtype``: a register holds twice as many in float16."""
        if dtype != "float16":
            return self
        return VectorUnit(
            lanes=tuple(sorted({2 * self.lanes[0], *self.lanes}, reverse=True)),
            sums=self.sums,
            registers=self.registers,
        )


@dataclass(frozen=True)
class RegisterTile:
    """``pixels`` neighbouring pixels by ``vectors`` vectors of ``lanes`` channels."""

    pixels: int
    vectors: int
    lanes: int


def choose_tile(pixels: int, channels: int, unit: VectorUnit, *, multiplies: bool) -> RegisterTile | None:
    """Return the tile with the most products per loaded value, or None where no vector divides ``channels``.

    A tile of ``p x v`` vectors loads ``p`` values and ``v`` vectors for ``p * v`` products. A reduction that does not
    multiply (pooling) gains nothing from width and gets a small tile, which keeps its code small.
    """
    lanes = next((lanes for lanes in unit.lanes if channels % lanes == 0), None)
    if lanes is None:
        return None
    room = unit.sums if multiplies else 4
    best, best_score = RegisterTile(1, 1, lanes), 0.0
    for vectors in _divisors(channels // lanes, _MOST_VECTORS):
        for height in _divisors(pixels, _MOST_PIXELS):
            score = height * vectors / (height + vectors)
            if height * vectors <= room and score > best_score:
                best, best_score = RegisterTile(height, vectors, lanes), score
    return best


def _divisors(number: int, most: int) -> list[int]:
    return [divisor for divisor in range(1, min(number, most) + 1) if number % divisor == 0]
