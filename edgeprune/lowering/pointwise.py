"""1x1 convolutions of images whose number of pixels suits no register tile.

An image of 7x7 has 49 pixels, which only tiles of seven or one divide. Tiles of five pixels by two vectors take ten of
them with one pixel to spare, which computes the last real one again: nothing is padded, nothing copied, and the spare
result is not kept.
"""

from __future__ import annotations

from math import prod

import tvm
from tvm import relax, te, tirx

from edgeprune.lowering.convolution import Dense, filled_weights, mark_fusable
from edgeprune.lowering.register_tile import VectorUnit, choose_tile
from edgeprune.lowering.winograd import MACS

_MOST_SPARE = 5
# What the tiles must gain beside the work on spare pixels: every result is held against the last real pixel.
_WORTH_IT = 1.1


def spare_pixels(data: relax.Expr, convolution: Dense, unit: VectorUnit) -> int:
    """Return how many pixels more than NHWC ``data`` has make better tiles, 0 for any convolution but those of 1x1."""
    window = convolution.window
    plain = (window.strides, window.pads) == ((1, 1), (0, 0, 0, 0)) and convolution.weights.shape[:2] == (1, 1)
    if not plain:
        return 0
    pixels = prod(int(extent) for extent in list(data.ty.shape)[1:3])
    channels = -(-convolution.outputs // unit.lanes[0]) * unit.lanes[0]

    def speed(spare: int) -> float:
        return _products_per_cycle(pixels + spare, channels, unit) * pixels / (pixels + spare)

    best = max(range(_MOST_SPARE + 1), key=speed)
    return best if speed(best) > _WORTH_IT * speed(0) else 0


def _products_per_cycle(pixels: int, channels: int, unit: VectorUnit) -> float:
    tile = choose_tile(pixels, channels, unit, multiplies=True)
    return 0.0 if tile is None else unit.products_per_cycle(tile.pixels, tile.vectors)


def emit_pointwise(
    builder: relax.BlockBuilder, data: relax.Expr, convolution: Dense, spare: int, unit: VectorUnit
) -> relax.Expr:
    """Return a call of a kernel that computes a 1x1 ``convolution`` of NHWC ``data`` with ``spare`` pixels more."""
    batch, height, width = (int(extent) for extent in list(data.ty.shape)[:3])
    filled = filled_weights(convolution, unit)
    outputs, pixels = int(filled.shape[-1]), height * width

    def compute(image: te.Tensor, kernel: te.Tensor) -> te.Tensor:
        channel = te.reduce_axis((0, kernel.shape[2]), "rc")

        def value(n: tirx.Var, p: tirx.Var, o: tirx.Var) -> tvm.ir.Expr:
            pixel = tirx.min(p, tirx.const(pixels - 1, p.ty.dtype))
            product = image[n, pixel // width, pixel % width, channel] * kernel[0, 0, channel, o]
            return te.sum(product, axis=channel)

        macs = batch * pixels * convolution.inputs * convolution.outputs
        shape = [tirx.IntImm("int64", extent) for extent in (batch, pixels + spare, outputs)]
        sums = te.compute(shape, value, name="conv2d", attrs={MACS: macs})
        kept = [tirx.IntImm("int64", extent) for extent in (batch, height, width, convolution.kept)]
        return te.compute(kept, lambda n, y, x, o: sums[n, y * width + x, o], name="real_pixels", tag="injective")

    result = builder.call_te(compute, data, relax.const(filled), primfunc_name_hint="conv2d")
    mark_fusable(builder, result.args[0])
    return result
