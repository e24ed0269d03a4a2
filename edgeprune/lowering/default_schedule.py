"""Trial 0: a schedule that is sound for every kernel and good for the common ones, without any search.

A reduction over a channels-last tensor (convolution of any grouping, pooling, matrix product) gets a tile of
``pixels x channels`` whose sums stay in vector registers while the reduction loops run outside the tile; its
weights are packed in the order the tile reads them. Everything else is inlined and left to LLVM's vectoriser.
"""

from __future__ import annotations

from dataclasses import dataclass

import tvm
from tvm import tirx
from tvm.s_tir import Schedule, ScheduleError
from tvm.s_tir.schedule import SBlockRV

_SPATIAL = 0
_REDUCE = 2
_LANES = 4  # float32 per 128-bit vector, the width of NEON
_REGISTERS = {"armv7": 10, "other": 20}  # vector registers for sums; the rest hold weights and inputs
_MOST_CHANNELS = 64
_MOST_PIXELS = 8
_REWRITE_MARK = "meta_schedule.layout_rewrite_preproc"


@dataclass(frozen=True)
class Tile:
    """How many neighbouring pixels and channels one register tile covers."""

    pixels: int
    channels: int


def default_schedule(function: tirx.PrimFunc, target: tvm.target.Target) -> tirx.PrimFunc:
    """Return ``function`` with its loops tiled, or merely inlined where the template does not fit."""
    inlined = _inline(Schedule(function))
    tiled = _tile_reduction(inlined.copy(), target)
    chosen = tiled if tiled is not None else inlined
    return chosen.mod["main"].with_attrs(dict(function.attrs))


def choose_tile(pixels: int, channels: int, registers: int) -> Tile:
    """Return the tile with the most work per loaded value among those that divide both extents.

    A tile of ``p x c`` loads ``p + c/4`` values for ``p * c/4`` vector products, and has to keep ``p * c/4`` sums
    in ``registers``. Channel counts that pruning has left odd are taken whole: LLVM splits odd vectors itself.
    """
    best = Tile(1, 1)
    best_score = 0.0
    for width in _divisors(channels, _MOST_CHANNELS):
        vectors = width // _LANES + bin(width % _LANES).count("1")
        for height in _divisors(pixels, _MOST_PIXELS):
            if height * vectors > registers:
                continue
            score = (height * width / vectors) * (height * vectors) / (height + vectors) + 0.01 * height * vectors
            if score > best_score:
                best, best_score = Tile(height, width), score
    return best


def _divisors(number: int, most: int) -> list[int]:
    return [divisor for divisor in range(1, min(number, most) + 1) if number % divisor == 0]


def _inline(schedule: Schedule) -> Schedule:
    for block in _blocks(schedule):
        if _is_reduction(schedule, block) or _computes_padding_for_reduction(schedule, block):
            continue
        try:
            schedule.compute_inline(block)
        except ScheduleError:
            continue  # the output block, or one that is read in a way that cannot be inlined: it keeps its loops
    return schedule


def _blocks(schedule: Schedule) -> list[SBlockRV]:
    return list(schedule.get_child_blocks(schedule.get_sblock("root")))


def _iter_types(schedule: Schedule, block: SBlockRV) -> list[int]:
    return [int(variable.iter_type) for variable in schedule.get(block).iter_vars]


def _is_reduction(schedule: Schedule, block: SBlockRV) -> bool:
    return _REDUCE in _iter_types(schedule, block)


def _computes_padding_for_reduction(schedule: Schedule, block: SBlockRV) -> bool:
    """Whether inlining ``block`` would put a bounds check into the innermost loop of a reduction."""
    body = schedule.get(block).body
    if not isinstance(body, tirx.BufferStore):
        return False
    # An unpadded copy is a plain load; anything else would be computed again for every use.
    plain_copy = isinstance(body.value, tvm.ir.expr.TensorLoad)
    feeds = any(_is_reduction(schedule, consumer) for consumer in schedule.get_consumers(block))
    return feeds and not plain_copy


def _tile_reduction(schedule: Schedule, target: tvm.target.Target) -> Schedule | None:
    reductions = [block for block in _blocks(schedule) if _is_reduction(schedule, block)]
    if len(reductions) != 1:
        return None
    try:
        _apply_template(schedule, reductions[0], target)
    except ScheduleError:
        return None
    return schedule


def _apply_template(schedule: Schedule, block: SBlockRV, target: tvm.target.Target) -> None:
    loops = schedule.get_loops(block)
    kinds = _iter_types(schedule, block)
    spatial = [loop for loop, kind in zip(loops, kinds, strict=True) if kind == _SPATIAL]
    reduce = [loop for loop, kind in zip(loops, kinds, strict=True) if kind == _REDUCE]
    extents = [int(schedule.get(loop).extent) for loop in spatial]
    group = _channels_per_group(schedule, block, extents[-1])
    tile = choose_tile(extents[-2] if len(extents) > 1 else 1, group, _sum_registers(target))
    outer, inner = schedule.split(spatial[-1], [None, tile.channels])
    pixel_outer, pixel_inner = [], []
    if len(spatial) > 1:
        upper, lower = schedule.split(spatial[-2], [None, tile.pixels])
        pixel_outer, pixel_inner = [upper], [lower]
    # Channels outside pixels: the weights of one channel tile stay in cache while all pixels pass.
    schedule.reorder(outer, *spatial[:-2], *pixel_outer, *reduce, *pixel_inner, inner)
    _write_tile(schedule, block, pixel_outer[0] if pixel_outer else outer)
    schedule.vectorize(inner)
    for loop in pixel_inner:
        schedule.unroll(loop)
    _pack_weights(schedule, block, tile.channels)
    schedule.decompose_reduction(block, reduce[0])


def _write_tile(schedule: Schedule, block: SBlockRV, at: object) -> None:
    """Finish each tile (bias, activation) right after its sums, while they are in registers."""
    consumers = schedule.get_consumers(block)
    final = consumers[0] if len(consumers) == 1 else None
    if len(consumers) > 1:
        raise ScheduleError("the sums are read by more than one block")
    if final is None:
        final = schedule.cache_write(block, 0, "global")
    schedule.reverse_compute_at(final, at, preserve_unit_loops=True)
    loops = schedule.get_loops(final)
    schedule.vectorize(loops[-1])
    if len(loops) > 1 and int(schedule.get(loops[-2]).extent) <= _MOST_PIXELS:
        schedule.unroll(loops[-2])


def _channels_per_group(schedule: Schedule, block: SBlockRV, channels: int) -> int:
    """Return over how many output channels a tile may span and still read one input value for all of them.

    A depthwise convolution reads one input channel per output channel, in step: all of them may share a tile.
    """
    reads = [region.source for region in schedule.get(block).reads]
    writes = [region.source for region in schedule.get(block).writes]
    inputs = [buffer for buffer in reads if not any(buffer.same_as(written) for written in writes)]
    if len(inputs) != 2 or len(inputs[0].shape) != 4 or len(inputs[1].shape) != 4:
        return channels
    groups = int(inputs[0].shape[-1]) // int(inputs[1].shape[2])
    return channels if groups in (1, channels) else channels // groups


def _sum_registers(target: tvm.target.Target) -> int:
    triple = str(target.attrs.get("mtriple", ""))
    return _REGISTERS["armv7" if triple.startswith("arm") else "other"]


def _pack_weights(schedule: Schedule, block: SBlockRV, width: int) -> None:
    """Store the weights as one contiguous piece per tile of ``width`` channels.

    The copy this inserts is marked as MetaSchedule's own are, so that the same pass moves it out to compile time.
    """
    function = schedule.mod["main"]
    free = [function.params[int(index)] for index in function.attrs.get("layout_free_buffers", [])]
    channels = int(schedule.get(schedule.get_loops(block)[0]).extent) * width
    for position, region in enumerate(schedule.get(block).reads):
        weight = region.source
        if not any(weight.same_as(parameter) for parameter in free):
            continue
        if int(weight.shape[-1]) != channels or channels == width:
            continue
        packed = schedule.cache_read(block, position, "global")
        schedule.transform_layout(block, ("read", position), _tile_outermost(len(weight.shape), width))
        schedule.annotate(packed, _REWRITE_MARK, True)


def _tile_outermost(rank: int, width: int) -> tirx.IndexMap:
    return tirx.IndexMap.from_func(
        lambda *indices: (indices[-1] // width, *indices[:-1], indices[-1] % width), ndim=rank, index_dtype="int64"
    )
