from __future__ import annotations

from edgeprune.lowering.register_tile import VectorUnit
from edgeprune.tuning.register_tile import Extents, TileSizes, rank_tiles

AVX2 = VectorUnit(lanes=(8, 4), sums=12, registers=16)


def test_the_best_tiles_fill_the_registers_without_spilling() -> None:
    ranked = rank_tiles(Extents(rows=24, pixels=24, vectors=3, reduction=1), AVX2)
    assert ranked[0] == TileSizes(rows=1, pixels=4, vectors=3, reduction=1)
    assert all(tile.rows * tile.pixels * tile.vectors <= 12 for tile in ranked)
    assert len(set(ranked)) == len(ranked)


def test_long_unrolled_reductions_come_first() -> None:
    ranked = rank_tiles(Extents(rows=1, pixels=1, vectors=2, reduction=20), AVX2)
    assert ranked == [
        TileSizes(1, 1, 2, 5),
        TileSizes(1, 1, 2, 10),
        TileSizes(1, 1, 2, 1),
        TileSizes(1, 1, 1, 5),
        TileSizes(1, 1, 1, 10),
        TileSizes(1, 1, 1, 1),
    ]
