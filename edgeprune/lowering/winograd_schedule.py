"""Loops of a Winograd convolution: a strip of tiles at a time goes through all stages while it lies in cache.

Per strip of tile rows the input is padded and transformed, a vector of channels at a time in registers. Then, for one
block of output channels after another, the products are taken in register tiles of ``tiles x vectors`` sums, and
transformed back and finished (bias, activation, residual) tile by tile.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from tvm.s_tir import Schedule, ScheduleError
from tvm.s_tir.schedule import ExprRV, LoopRV, SBlockRV

from edgeprune.lowering.register_tile import VectorUnit
from edgeprune.lowering.winograd import COLUMNS, INPUT, OUTPUT, PAD, PRODUCT, ROWS, STAGE

Factor: TypeAlias = "int | ExprRV | None"


@dataclass(frozen=True)
class WinogradTile:
    """A strip is ``rows`` rows of tiles; ``tiles`` tiles by ``vectors`` vectors of ``lanes`` channels in registers."""

    rows: int
    tiles: int
    vectors: int
    lanes: int


def winograd_stages(schedule: Schedule) -> dict[str, SBlockRV]:
    """Return the blocks of a Winograd convolution by stage, nothing where ``schedule`` has none."""
    blocks = schedule.get_child_blocks(schedule.get_sblock("root"))
    return {str(schedule.get(block).annotations[STAGE]): block for block in blocks if is_stage(schedule, block)}


def is_stage(schedule: Schedule, block: SBlockRV) -> bool:
    """Return whether ``block`` is a stage of a Winograd convolution."""
    return STAGE in schedule.get(block).annotations


def choose_winograd_tile(down: int, across: int, width: int, unit: VectorUnit) -> WinogradTile:
    """Return sizes for ``down x across`` tiles and blocks of ``width`` output channels, a multiple of the lanes.

    Of the strips that allow the best tile the smallest is taken, which needs the least memory.
    """
    lanes = unit.lanes[0]
    best, best_score = WinogradTile(1, 1, 1, lanes), 0.0
    for rows in _divisors(down):
        for vectors in _divisors(width // lanes):
            for tiles in _divisors(rows * across):
                score = unit.products_per_cycle(tiles, vectors)
                if unit.holds(tiles, vectors) and score > best_score:
                    best, best_score = WinogradTile(rows, tiles, vectors, lanes), score
    return best


def _divisors(number: int) -> list[int]:
    return [divisor for divisor in range(1, number + 1) if number % divisor == 0]


def schedule_winograd(inlined: Schedule, unit: VectorUnit) -> Schedule:
    """Return ``inlined``, where the stages and what cannot be inlined are left, with a Winograd convolution's loops.

    Where something is fused that does not take the result element by element, all stages keep loops of their own.
    """
    schedule = inlined.copy()
    try:
        tile_winograd(schedule, unit)
    except ScheduleError:
        return inlined
    return schedule


def tile_winograd(schedule: Schedule, unit: VectorUnit, sizes: Sizes | None = None) -> None:
    """Give a Winograd convolution its loops, with the tile of `choose_winograd_tile`.

    Raises:
        ScheduleError: something else is fused than what takes the result element by element.
    """
    stages = winograd_stages(schedule)
    _, down, across, *_ = (int(extent) for extent in schedule.get(stages[OUTPUT]).writes[0].source.shape)
    width = int(schedule.get(stages[PRODUCT]).reads[1].source.shape[-1])
    final = schedule.get_consumers(stages[OUTPUT])[0]
    apply_winograd_tile(schedule, final, choose_winograd_tile(down, across, width, unit), sizes)


class Sizes:
    """How the sizes of a `WinogradTile` become factors of loops: as they are."""

    def factors(self, schedule: Schedule, loop: LoopRV, inner: int) -> list[Factor]:
        """Return what to split ``loop`` into, where ``inner`` iterations should be in the inner part."""
        return [None, inner]


def apply_winograd_tile(schedule: Schedule, final: SBlockRV, tile: WinogradTile, sizes: Sizes | None = None) -> None:
    """Give a Winograd convolution its loops; ``final`` is the only block after the stages.

    Raises:
        ScheduleError: something else is fused than what takes the result element by element.
    """
    sizes = sizes or Sizes()
    stages = winograd_stages(schedule)
    size = int(schedule.get(stages[OUTPUT]).writes[0].source.shape[-2])
    block = int(schedule.get(stages[PRODUCT]).reads[1].source.shape[-1])
    batch, height, width, channels = schedule.get_loops(final)
    rows = sizes.factors(schedule, schedule.get_loops(stages[PRODUCT])[3], tile.rows)[-1]
    strips, row, line = schedule.split(height, [None, rows, size])
    columns, pixel = schedule.split(width, [None, size])
    if int(schedule.get(channels).extent) % block == 0:
        blocks, vectors, lanes = schedule.split(channels, [None, block // tile.lanes, tile.lanes])
        schedule.reorder(batch, strips, blocks, row, columns, vectors, line, pixel, lanes)
        _transform_back(schedule, stages, vectors)
        _unrolled(schedule, [line, pixel], lanes)
    else:
        # All channels of a tile are transformed back, the zero ones too; the compiler vectorises the copy of real ones.
        blocks = strips
        schedule.reorder(batch, strips, row, columns, line, pixel, channels)
        _transform_whole_tiles_back(schedule, stages, columns, tile.lanes)
    _multiply(schedule, stages[PRODUCT], blocks, tile, sizes)
    _transform_input(schedule, stages, strips, tile.lanes)


def _transform_back(schedule: Schedule, stages: dict[str, SBlockRV], at: LoopRV) -> None:
    for name in (OUTPUT, COLUMNS):
        schedule.compute_at(stages[name], at, preserve_unit_loops=True)
        *_, down, across, lanes = schedule.get_loops(stages[name])
        _unrolled(schedule, [down, across], lanes)


def _transform_whole_tiles_back(schedule: Schedule, stages: dict[str, SBlockRV], at: LoopRV, width: int) -> None:
    schedule.compute_at(stages[OUTPUT], at, preserve_unit_loops=True)
    *_, down, across, channels = schedule.get_loops(stages[OUTPUT])
    vectors, lanes = schedule.split(channels, [None, width])
    schedule.reorder(vectors, down, across, lanes)
    schedule.compute_at(stages[COLUMNS], vectors, preserve_unit_loops=True)
    *_, inner_down, inner_across, inner_lanes = schedule.get_loops(stages[COLUMNS])
    _unrolled(schedule, [inner_down, inner_across], inner_lanes)
    _unrolled(schedule, [down, across], lanes)


def _multiply(schedule: Schedule, block: SBlockRV, at: LoopRV, tile: WinogradTile, sizes: Sizes) -> None:
    schedule.compute_at(block, at, preserve_unit_loops=True)
    a, b, _, row, column, channels, reduction = schedule.get_loops(block)[-7:]
    together = schedule.fuse(row, column)
    strip, tiles = schedule.split(together, sizes.factors(schedule, together, tile.tiles))
    whole, lanes = schedule.split(channels, [None, tile.lanes])
    parts, vectors = schedule.split(whole, sizes.factors(schedule, whole, tile.vectors))
    schedule.reorder(a, b, parts, strip, reduction, tiles, vectors, lanes)
    _unrolled(schedule, [tiles, vectors], lanes)
    schedule.decompose_reduction(block, reduction)


def _transform_input(schedule: Schedule, stages: dict[str, SBlockRV], at: LoopRV, lanes: int) -> None:
    schedule.compute_at(stages[INPUT], at, preserve_unit_loops=True)
    *_, row, column, a, b, channels = schedule.get_loops(stages[INPUT])
    vectors, lane = schedule.split(channels, [None, lanes])
    schedule.reorder(row, column, vectors, a, b, lane)
    schedule.compute_at(stages[ROWS], vectors, preserve_unit_loops=True)
    *_, inner_a, inner_b, inner_lane = schedule.get_loops(stages[ROWS])
    _unrolled(schedule, [inner_a, inner_b], inner_lane)
    _unrolled(schedule, [a, b], lane)
    schedule.compute_at(stages[PAD], at, preserve_unit_loops=True)


def _unrolled(schedule: Schedule, loops: list[LoopRV], lanes: LoopRV) -> None:
    schedule.vectorize(lanes)
    for loop in loops:
        schedule.unroll(loop)
