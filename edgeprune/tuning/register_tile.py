"""A tiling whose sums never leave the vector registers, as a part of the search space.

All spatial tiles lie inside all reduction loops: a tile of ``rows x pixels x channels`` sums is unrolled and
vectorised over channels, and one pass over the reduction accumulates it. MetaSchedule's own tiling contains such
schedules, but a few dozen samples hardly ever hit one that neither spills registers nor leaves them unused.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tvm.ir.utils import derived_object
from tvm.s_tir import Schedule, ScheduleError
from tvm.s_tir import meta_schedule as ms
from tvm.s_tir.schedule import LoopRV, SBlockRV

from edgeprune.lowering.default_schedule import flatten_result
from edgeprune.lowering.register_tile import VectorUnit

_SPATIAL = 0
_REDUCE = 2
# Of sums whose rows and columns are one axis of pixels.
_FLAT_RANK = 3
MOST_VECTORS = 16
MOST_PIXELS = 8
MOST_ROWS = 4
MOST_REDUCTION = 16
# Long unrolled reductions keep the sums in registers where LLVM would otherwise spill them; short ones are smaller.
_UNROLLS = (8, 16, 1)
# Cycles from a fused multiply-add to its result, multiply-adds and loads started per cycle: typical of big cores.
_LATENCY = 4
_PER_CYCLE = 2


@dataclass(frozen=True)
class TileSizes:
    """Extents of the register tile, and how many steps of the innermost reduction loop are unrolled.

    ``vectors`` counts vectors of as many channels as `lanes_of` gives.
    """

    rows: int
    pixels: int
    vectors: int
    reduction: int


@dataclass(frozen=True)
class Extents:
    """What a tile must divide; ``vectors`` as in `TileSizes`."""

    rows: int
    pixels: int
    vectors: int
    reduction: int


@derived_object
class RegisterTile(ms.schedule_rule.PyScheduleRule):  # type: ignore[misc]
    """Schedule rule: tile a reduction whose last spatial axis is contiguous; anything else is left as it is."""

    def __init__(self, unit: VectorUnit) -> None:
        super().__init__()
        self._unit = unit

    def _initialize_with_tune_context(self, context: ms.TuneContext) -> None:
        """Nothing depends on the context."""

    def clone(self) -> RegisterTile:
        """Return an equal rule."""
        return RegisterTile(self._unit)

    def apply(self, schedule: Schedule, block: SBlockRV) -> list[Schedule]:
        """Return ``schedule`` tiled once per choice of innermost reduction, or as it is where the template misfits.

        Going through input channels innermost reads inputs in order; going through kernel rows innermost reuses
        inputs between the rows of a tile.
        """
        reductions = _kinds(schedule, block).count(_REDUCE)
        if reductions == 0:
            return [schedule]
        designs = []
        for innermost in sorted({0, reductions - 1}, reverse=True):
            tiled = schedule.copy()
            try:
                _tile(tiled, block, self._unit, innermost)
            except ScheduleError:
                return [schedule]
            designs.append(tiled)
        return designs


def lanes_of(channels: int, unit: VectorUnit) -> int | None:
    """Return the widest vector that divides ``channels``, ``None`` if there is none."""
    return next((lanes for lanes in unit.lanes if channels % lanes == 0), None)


def rank_tiles(extents: Extents, unit: VectorUnit) -> list[TileSizes]:
    """Return the tiles that fit ``extents`` and the registers, most promising first.

    The score is multiply-adds per cycle of an ideal core: limited by its multiply-add units, its load units (one load
    per vector of weights, one broadcast per pixel) and by the latency of dependent sums.
    """
    scored = []
    for tile in _tiles(extents):
        points = tile.rows * tile.pixels
        products = points * tile.vectors
        if products > unit.sums:
            continue
        cycles = max(products / _PER_CYCLE, (points + tile.vectors) / _PER_CYCLE, _LATENCY)
        scored.append((products / cycles, tile))
    scored.sort(key=lambda entry: (-entry[0], -entry[1].vectors, -entry[1].pixels, entry[1].rows))
    unrolls = dict.fromkeys(divisors(extents.reduction, limit)[-1] for limit in _UNROLLS)
    return [TileSizes(tile.rows, tile.pixels, tile.vectors, unroll) for _, tile in scored for unroll in unrolls]


def extents_of(schedule: Schedule, unit: VectorUnit) -> Extents | None:
    """Return the extents of the only reduction, ``None`` if there is not exactly one, or it fills no vector."""
    blocks = schedule.get_child_blocks(schedule.get_sblock("root"))
    reductions = [block for block in blocks if _REDUCE in _kinds(schedule, block)]
    if len(reductions) != 1:
        return None
    loops = [int(schedule.get(loop).extent) for loop in schedule.get_loops(reductions[0])]
    kinds = _kinds(schedule, reductions[0])
    spatial = [extent for extent, kind in zip(loops, kinds, strict=True) if kind == _SPATIAL]
    reduce = [extent for extent, kind in zip(loops, kinds, strict=True) if kind == _REDUCE]
    rows, pixels, channels = [1, 1, 1, *spatial][-3:]
    lanes = lanes_of(channels, unit)
    return None if lanes is None else Extents(rows, pixels, channels // lanes, reduce[-1])


def _kinds(schedule: Schedule, block: SBlockRV) -> list[int]:
    return [int(axis.iter_type) for axis in schedule.get(block).iter_vars]


def _tile(schedule: Schedule, block: SBlockRV, unit: VectorUnit, innermost: int) -> None:
    loops = schedule.get_loops(block)
    kinds = _kinds(schedule, block)
    spatial = [loop for loop, kind in zip(loops, kinds, strict=True) if kind == _SPATIAL]
    reduce = [loop for loop, kind in zip(loops, kinds, strict=True) if kind == _REDUCE]
    if len(spatial) == _FLAT_RANK:
        flatten_result(schedule, block)
    reduce.append(reduce.pop(innermost))
    lanes = lanes_of(int(schedule.get(spatial[-1]).extent), unit)
    if lanes is None:
        raise ScheduleError("the channels fill no whole vector")
    spatial[-1], lane = schedule.split(spatial[-1], [None, lanes])
    limits = [MOST_ROWS, MOST_PIXELS, MOST_VECTORS][-len(spatial) :]
    whole, tiled = spatial[: -len(limits)], spatial[-len(limits) :]
    halves = [_split(schedule, loop, limit) for loop, limit in zip(tiled, limits, strict=True)]
    outer, inner = [half[0] for half in halves], [half[1] for half in halves]
    steps, step = _split(schedule, reduce[-1], MOST_REDUCTION)
    # Channels outermost: one tile's weights stay in cache while all pixels pass.
    schedule.reorder(outer[-1], *whole, *outer[:-1], *reduce[:-1], steps, step, *inner, lane)
    _finish_in_tile(schedule, block, outer[-2] if len(outer) > 1 else outer[-1], lanes)
    schedule.vectorize(lane)
    for loop in (step, *inner):
        schedule.unroll(loop)
    schedule.decompose_reduction(block, (*reduce[:-1], steps)[0])


def _split(schedule: Schedule, loop: LoopRV, limit: int) -> list[LoopRV]:
    factors = schedule.sample_perfect_tile(loop, n=2, max_innermost_factor=limit)
    return list(schedule.split(loop, factors))


def _finish_in_tile(schedule: Schedule, block: SBlockRV, at: LoopRV, lanes: int) -> None:
    """Apply what follows the sums (bias, activation) tile by tile."""
    consumers = schedule.get_consumers(block)
    if len(consumers) > 1:
        raise ScheduleError("the sums are read by more than one block")
    last = consumers[0] if consumers else schedule.cache_write(block, 0, "global")
    schedule.reverse_compute_at(last, at, preserve_unit_loops=True)
    # LLVM vectorises the remaining loops itself: a tile may reach over the last real channel.
    if int(schedule.get(schedule.get_loops(last)[-1]).extent) % lanes == 0:
        _, lane = schedule.split(schedule.get_loops(last)[-1], [None, lanes])
        schedule.vectorize(lane)


def _tiles(extents: Extents) -> Iterator[TileSizes]:
    for rows in divisors(extents.rows, MOST_ROWS):
        for pixels in divisors(extents.pixels, MOST_PIXELS):
            for vectors in divisors(extents.vectors, MOST_VECTORS):
                yield TileSizes(rows, pixels, vectors, 1)


def divisors(number: int, most: int) -> list[int]:
    """Return the divisors of ``number`` up to ``most``, ascending."""
    return [divisor for divisor in range(1, min(number, most) + 1) if number % divisor == 0]
