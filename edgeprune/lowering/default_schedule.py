"""Trial 0: a schedule that is sound for every kernel and good for the common ones, without any search.

A reduction over a channels-last tensor (convolution of any grouping, pooling, matrix product) gets a register tile of
``pixels x vectors``: its sums stay in vector registers while the reduction loops run outside the tile, and its weights
are packed in the order the tile reads them. Where channels do not fill whole vectors, a row of sums takes the tile's
place. Everything else is inlined and left to LLVM's own vectoriser.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import tvm
from tvm import tirx
from tvm.s_tir import Schedule, ScheduleError
from tvm.s_tir.schedule import LoopRV, SBlockRV

from edgeprune.lowering.register_tile import RegisterTile, VectorUnit, choose_depthwise_tile, choose_tile
from edgeprune.lowering.winograd_schedule import is_stage, schedule_winograd, winograd_stages

_SPATIAL = 0
_REDUCE = 2
_IMAGE_RANK = 4
# Half of a first cache of 32 kB, in float32.
_FEW_WEIGHTS = 4096
# Half of a second cache of 512 kB, in float32; and the most rows of an image that is larger than it.
_MUCH_IMAGE = 65536
_STRIP_ROWS = 16
_REWRITE_MARK = "meta_schedule.layout_rewrite_preproc"


@dataclass(frozen=True)
class _Nest:
    """The loops of a reduction block by kind, and the channels (innermost spatial extent) a tile may span."""

    block: SBlockRV
    spatial: list[LoopRV]
    reduce: list[LoopRV]
    channels: int
    channels_per_group: int
    pixels: int
    multiplies: bool
    depthwise: bool


def default_schedule(function: tirx.PrimFunc, target: tvm.target.Target) -> tirx.PrimFunc:
    """Return ``function`` with its loops tiled, or merely inlined where no template fits."""
    inlined = inline(Schedule(function))
    unit = VectorUnit.of(target)
    if winograd_stages(inlined):
        return schedule_winograd(inlined, unit).mod["main"].with_attrs(dict(function.attrs))
    inlined = _flattened(inlined)
    nest = _single_reduction(inlined)
    chosen = inlined
    if nest is not None:
        unit = unit.holding(str(inlined.get(nest.block).writes[0].source.dtype))
        choose = choose_depthwise_tile if nest.depthwise else choose_tile
        tile = choose(nest.pixels, nest.channels_per_group, unit, multiplies=nest.multiplies)
        chosen = (_tiled(inlined, tile) if tile is not None else _by_rows(inlined)) or inlined
    return chosen.mod["main"].with_attrs(dict(function.attrs))


def inline(schedule: Schedule) -> Schedule:
    """Compute every block that may be where its consumer reads it, and return ``schedule``."""
    for block in _blocks(schedule):
        if _is_reduction(schedule, block) or is_stage(schedule, block) or _computed_for_reduction(schedule, block):
            continue
        try:
            schedule.compute_inline(block)
        except ScheduleError:
            continue  # the output block, or one that is read in a way that cannot be inlined: it keeps its loops
    return schedule


def _blocks(schedule: Schedule) -> list[SBlockRV]:
    return list(schedule.get_child_blocks(schedule.get_sblock("root")))


def _kinds(schedule: Schedule, block: SBlockRV) -> list[int]:
    return [int(variable.iter_type) for variable in schedule.get(block).iter_vars]


def _is_reduction(schedule: Schedule, block: SBlockRV) -> bool:
    return _REDUCE in _kinds(schedule, block)


def _computed_for_reduction(schedule: Schedule, block: SBlockRV) -> bool:
    """Whether inlining ``block`` would repeat its work (a bounds check, say) in the innermost loop of a reduction."""
    body = schedule.get(block).body
    if not isinstance(body, tirx.BufferStore):
        return False
    plain_copy = isinstance(body.value, tvm.ir.expr.TensorLoad)
    feeds = any(_is_reduction(schedule, consumer) for consumer in schedule.get_consumers(block))
    return feeds and not plain_copy


def _single_reduction(schedule: Schedule) -> _Nest | None:
    """Return the loops of the only reduction, if its channels are contiguous in everything it reads."""
    reductions = [block for block in _blocks(schedule) if _is_reduction(schedule, block)]
    if len(reductions) != 1:
        return None
    block = reductions[0]
    loops, kinds = schedule.get_loops(block), _kinds(schedule, block)
    if len(loops) != len(kinds) or len(schedule.get_consumers(block)) > 1:
        return None
    spatial = [loop for loop, kind in zip(loops, kinds, strict=True) if kind == _SPATIAL]
    reduce = [loop for loop, kind in zip(loops, kinds, strict=True) if kind == _REDUCE]
    if not spatial or not _channels_contiguous(schedule, block):
        return None
    extents = [int(schedule.get(loop).extent) for loop in spatial]
    inputs = _inputs(schedule, block)
    return _Nest(
        block=block,
        spatial=spatial,
        reduce=reduce,
        channels=extents[-1],
        channels_per_group=_channels_per_group(inputs, extents[-1], _channel_variable(schedule, block)),
        pixels=extents[-2] if len(extents) > 1 else 1,
        multiplies=len(inputs) > 1,
        depthwise=len(inputs) > 1 and _uses(list(inputs[0].region)[-1], _channel_variable(schedule, block)),
    )


def _inputs(schedule: Schedule, block: SBlockRV) -> list[tirx.BufferRegion]:
    found = schedule.get(block)
    written = [region.source for region in found.writes]
    return [region for region in found.reads if not any(region.source.same_as(buffer) for buffer in written)]


def _channels_contiguous(schedule: Schedule, block: SBlockRV) -> bool:
    channel = _channel_variable(schedule, block)
    axes = [axis for region in _inputs(schedule, block) for axis in list(region.region)[:-1]]
    return not any(_uses(axis, channel) for axis in axes)


def _channel_variable(schedule: Schedule, block: SBlockRV) -> tirx.Var:
    variables = schedule.get(block).iter_vars
    return [variable.var for variable in variables if int(variable.iter_type) == _SPATIAL][-1]


def _uses(axis: tvm.ir.Range, variable: tirx.Var) -> bool:
    return any(used.same_as(variable) for used in tirx.analysis.undefined_vars(axis.min))


def _channels_per_group(inputs: list[tirx.BufferRegion], channels: int, channel: tirx.Var) -> int:
    """Return over how many output channels a tile may span and still read one input value for all of them.

    A depthwise convolution reads one input channel per output channel, in step: all of them may share a tile.
    """
    if len(inputs) != 2 or any(len(region.region) != _IMAGE_RANK for region in inputs):
        return channels
    data, weights = inputs
    if not _uses(list(data.region)[-1], channel):
        return channels
    groups = int(data.source.shape[-1]) // int(weights.source.shape[2])
    return channels if groups in (1, channels) else max(1, channels // groups)


def _tiled(inlined: Schedule, tile: RegisterTile) -> Schedule | None:
    schedule = inlined.copy()
    nest = _single_reduction(schedule)
    assert nest is not None
    try:
        _apply_tile(schedule, nest, tile)
    except ScheduleError:
        return None
    return schedule


def _flattened(inlined: Schedule) -> Schedule:
    """Return ``inlined`` with rows and columns of pixels as one axis, if its only reduction is a 1x1 convolution.

    A tile of pixels may then reach over the end of a row: an image of 3x3 has tiles of nine.
    """
    nest = _single_reduction(inlined)
    if nest is None:
        return inlined
    if len(nest.spatial) == _IMAGE_RANK - 1:
        schedule = inlined.copy()
        flatten_result(schedule, nest.block)
        return schedule
    if not _reads_its_own_pixel(inlined, nest):
        return inlined
    schedule = inlined.copy()
    try:
        final = _consumer_or_copy(schedule, nest.block)
        width = nest.pixels
        schedule.transform_layout(nest.block, ("write", 0), _flat(0, width))
        schedule.transform_block_layout(nest.block, _flat(len(nest.reduce), width))
        schedule.transform_block_layout(final, _flat(0, width))
    except ScheduleError:
        return inlined
    return schedule


def flatten_result(schedule: Schedule, sums: SBlockRV) -> None:
    """Give the block that makes an image of ``sums``, whose pixels are one axis, one loop over pixels as well."""
    consumers = schedule.get_consumers(sums)
    if len(schedule.get_loops(sums)) < _IMAGE_RANK or len(consumers) != 1:
        return
    loops = schedule.get_loops(consumers[0])
    if len(loops) == _IMAGE_RANK:
        width = int(schedule.get(loops[2]).extent)
        schedule.transform_block_layout(consumers[0], _flat(0, width))


def _flat(others: int, width: int) -> tirx.IndexMap:
    return tirx.IndexMap.from_func(
        # Of the window, which is one pixel, nothing is left.
        lambda n, h, w, c, *rest: (n, h * width + w, c, *rest[-1:]),
        ndim=_IMAGE_RANK + others,
        index_dtype="int64",
    )


def _reads_its_own_pixel(schedule: Schedule, nest: _Nest) -> bool:
    """Whether the reduction reads its first input at the row and column that it writes, and nowhere else."""
    if len(nest.spatial) != _IMAGE_RANK or not nest.multiplies:
        return False
    block = schedule.get(nest.block)
    _, row, column, _ = block.writes[0].region
    data = _inputs(schedule, nest.block)[0]
    if len(data.region) != _IMAGE_RANK:
        return False
    window = [variable for variable in block.iter_vars if int(variable.iter_type) == _REDUCE][:-1]
    one_by_one = all(int(variable.dom.extent) == 1 for variable in window)
    axes = zip(list(data.region)[1:3], (row, column), strict=True)
    return one_by_one and all(_is_in_step(read.min, written.min) for read, written in axes)


def _is_in_step(read: tvm.ir.Expr, written: tvm.ir.Expr) -> bool:
    """Whether ``read`` is ``written`` itself, or the sum of it and the place in a window (of one pixel)."""
    if isinstance(read, tirx.Add):
        return isinstance(read.b, tirx.Var) and _is_in_step(read.a, written)
    return isinstance(read, tirx.Var) and bool(read.same_as(written))


def _apply_tile(schedule: Schedule, nest: _Nest, tile: RegisterTile) -> None:
    outer, vectors, lanes = schedule.split(nest.spatial[-1], [None, tile.vectors, tile.lanes])
    upper: list[LoopRV] = []
    pixels: list[LoopRV] = []
    if len(nest.spatial) > 1:
        strip, pixel = schedule.split(nest.spatial[-2], [None, tile.pixels])
        upper, pixels = [strip], [pixel]
    strips, rows = _row_strips(schedule, nest, tile.vectors * tile.lanes)
    if _pads_rows_for_few_weights(schedule, nest):
        schedule.reorder(*rows, outer, *upper, *nest.reduce, *pixels, vectors, lanes)
    else:
        # Channels outside pixels: the weights of one channel tile stay in cache while all pixels pass.
        schedule.reorder(*strips, outer, *rows, *upper, *nest.reduce, *pixels, vectors, lanes)
    _pad_at(schedule, nest, outer, in_strips=bool(strips))
    _finish_at(schedule, nest.block, upper[0] if upper else outer, tile)
    schedule.vectorize(lanes)
    for loop in (*pixels, vectors):
        schedule.unroll(loop)
    _pack_weights(schedule, nest.block, int(schedule.get(outer).extent), tile.vectors * tile.lanes)
    schedule.decompose_reduction(nest.block, nest.reduce[0])


def _row_strips(schedule: Schedule, nest: _Nest, width: int) -> tuple[list[LoopRV], list[LoopRV]]:
    """Return the loops over strips of rows, if any, and those over the rows of a strip.

    A depthwise convolution pads one tile of ``width`` channels at a time. Where a whole image of these would leave the
    second cache before it is read, all tiles of a strip of rows come before the next strip.
    """
    loops = nest.spatial[:-2]
    if not nest.depthwise or len(nest.spatial) != _IMAGE_RANK or not schedule.get_producers(nest.block):
        return [], loops
    image = _inputs(schedule, nest.block)[0].source
    batch, row = loops
    height = int(schedule.get(row).extent)
    inner = max(rows for rows in range(1, _STRIP_ROWS + 1) if height % rows == 0)
    if int(image.shape[1]) * int(image.shape[2]) * width <= _MUCH_IMAGE or inner == height:
        return [], loops
    strip, row = schedule.split(row, [None, inner])
    return [batch, strip], [row]


def _pads_rows_for_few_weights(schedule: Schedule, nest: _Nest) -> bool:
    """Whether all weights stay in cache anyway, and rows would be padded anew for every tile of channels."""
    if nest.depthwise or len(nest.spatial) != _IMAGE_RANK or not schedule.get_producers(nest.block):
        return False
    weights = _inputs(schedule, nest.block)[-1].source
    return math.prod(int(extent) for extent in weights.shape) <= _FEW_WEIGHTS


def _pad_at(schedule: Schedule, nest: _Nest, channel_tiles: LoopRV, *, in_strips: bool) -> None:
    """Pad the input in pieces: the whole copy would be as large as the input, and leave the cache before it is read.

    A depthwise convolution with several tiles of channels pads one tile at a time, which no other tile reads; any
    other pads the few rows that a row of outputs needs. Rows overlap, and are padded again for every tile of channels:
    on ResNet-8 and -20 that is 2.5 % more instructions for a quarter less memory.
    """
    channel = _channel_variable(schedule, nest.block)
    for producer in schedule.get_producers(nest.block):
        written = schedule.get(producer).writes[0].source
        read = next(region for region in schedule.get(nest.block).reads if region.source.same_as(written))
        if in_strips or (_uses(list(read.region)[-1], channel) and int(schedule.get(channel_tiles).extent) > 1):
            schedule.compute_at(producer, channel_tiles, preserve_unit_loops=True)
        elif len(nest.spatial) == _IMAGE_RANK:
            schedule.compute_at(producer, nest.spatial[-3], preserve_unit_loops=True)


def _finish_at(schedule: Schedule, block: SBlockRV, at: LoopRV, tile: RegisterTile) -> None:
    """Finish each tile (bias, activation) right after its sums, while they are in registers."""
    final = _move_consumer(schedule, block, at)
    loops = schedule.get_loops(final)
    channels = loops[-1]
    if int(schedule.get(channels).extent) % tile.lanes != 0 or not _covers_output(schedule, final):
        return
    vectors, lanes = schedule.split(channels, [None, tile.lanes])
    schedule.vectorize(lanes)
    schedule.unroll(vectors)
    if len(loops) > 1 and int(schedule.get(loops[-2]).extent) == tile.pixels:
        schedule.unroll(loops[-2])


def _move_consumer(schedule: Schedule, block: SBlockRV, at: LoopRV) -> SBlockRV:
    final = _consumer_or_copy(schedule, block)
    schedule.reverse_compute_at(final, at, preserve_unit_loops=True)
    return final


def _consumer_or_copy(schedule: Schedule, block: SBlockRV) -> SBlockRV:
    consumers = schedule.get_consumers(block)
    return consumers[0] if consumers else schedule.cache_write(block, 0, "global")


def _covers_output(schedule: Schedule, block: SBlockRV) -> bool:
    """Whether ``block`` runs for every iteration of its loops: no part of a tile lies outside the output."""
    realize = schedule.get(schedule.get_loops(block)[-1]).body
    predicate = getattr(realize, "predicate", None)
    return predicate is None or (isinstance(predicate, tirx.IntImm) and int(predicate) == 1)


def _pack_weights(schedule: Schedule, block: SBlockRV, tiles: int, width: int) -> None:
    """Store the weights as one contiguous piece for each of the ``tiles`` of ``width`` channels.

    The copy this inserts is marked as MetaSchedule's own are, so that the same pass moves it out to compile time.
    """
    function = schedule.mod["main"]
    free = [function.params[int(index)] for index in function.attrs.get("layout_free_buffers", [])]
    channels = tiles * width
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


def _by_rows(inlined: Schedule) -> Schedule | None:
    """Sum whole rows of channels: the innermost loop is contiguous, and LLVM vectorises it with its remainder."""
    schedule = inlined.copy()
    nest = _single_reduction(schedule)
    assert nest is not None
    if len(nest.spatial) < 2:
        return None
    try:
        schedule.reorder(*nest.spatial[:-1], *nest.reduce, nest.spatial[-1])
        _move_consumer(schedule, nest.block, nest.spatial[-2])
        schedule.decompose_reduction(nest.block, nest.reduce[0])
    except ScheduleError:
        return None
    return schedule
