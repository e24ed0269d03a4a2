"""Convolutions of one group whose tensors may hold more channels than the network asked for.

Channels beyond the real ones fill the last vector of each pixel. What they hold is nobody's business: no sum takes them
in.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import tvm
from numpy.typing import NDArray
from tvm import relax, te, tirx, topi

from edgeprune.lowering.register_tile import VectorUnit
from edgeprune.lowering.winograd import MACS, Shape, hidden, transform_weights, untiled, winograd
from edgeprune.lowering.winograd_choice import block_width

_OUT_ELEMENTWISE_FUSABLE = 4


@dataclass(frozen=True)
class Window:
    """How the window moves: ``pads`` are top, left, bottom, right."""

    strides: tuple[int, int]
    pads: tuple[int, int, int, int]
    dilation: tuple[int, int]

    @classmethod
    def of(cls, call: relax.Call) -> Window:
        """Return the window of a call of ``relax.nn.conv2d``."""
        strides, pads, dilation = (
            tuple(int(value) for value in values)
            for values in (call.attrs.strides, call.attrs.padding, call.attrs.dilation)
        )
        return cls(strides, pads, dilation)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Dense:
    """A convolution of one group by ``weights`` (HWIO, real channels only).

    ``kept`` is the number of channels its result has, the real ones and those that fill the last vector.
    ``channels_first`` says that its data is NCHW; the result is NHWC.
    """

    weights: NDArray[np.generic]
    window: Window
    kept: int
    channels_first: bool = False

    @property
    def inputs(self) -> int:
        """Return the real input channels."""
        return int(self.weights.shape[2])

    @property
    def outputs(self) -> int:
        """Return the real output channels."""
        return int(self.weights.shape[3])


def emit_winograd(
    builder: relax.BlockBuilder, data: relax.Expr, convolution: Dense, size: int, unit: VectorUnit
) -> relax.Expr:
    """Return a call of a kernel that computes ``convolution`` of NHWC ``data`` by tiles of ``size``."""
    image = (int(data.ty.shape[1]), int(data.ty.shape[2]))
    shape = Shape(
        image, convolution.window.pads, convolution.inputs, convolution.outputs, int(convolution.weights.shape[0])
    )
    transformed = transform_weights(
        convolution.weights.astype(np.float32), size, block_width(convolution.outputs, unit)
    )

    def compute(image: te.Tensor, weights: te.Tensor) -> te.Tensor:
        return untiled(winograd(image, weights, shape, size, unit.lanes[0]), shape, size, convolution.kept)

    result = builder.call_te(compute, data, relax.const(transformed), primfunc_name_hint=f"winograd{size}_conv2d")
    mark_fusable(builder, result.args[0])
    return result


def emit_direct(builder: relax.BlockBuilder, data: relax.Expr, convolution: Dense, unit: VectorUnit) -> relax.Expr:
    """Return a call of a kernel that computes ``convolution`` of ``data`` by its definition.

    Sums are taken over whole vectors of channels, whose weights are zeros where they are not real.
    """

    def compute(image: te.Tensor, weights: te.Tensor) -> te.Tensor:
        sums = _direct(image, weights, convolution)
        if convolution.kept == int(weights.shape[-1]):
            return sums
        kept = (*sums.shape[:-1], convolution.kept)
        return te.compute(kept, lambda *place: sums(*place), name="real_channels", tag="injective")

    filled = filled_weights(convolution, unit)
    result = builder.call_te(compute, data, relax.const(filled), primfunc_name_hint="conv2d")
    mark_fusable(builder, result.args[0])
    return result


def filled_weights(convolution: Dense, unit: VectorUnit) -> NDArray[np.generic]:
    """Return the weights with zeros for output channels up to a whole vector."""
    return np.pad(convolution.weights, [(0, 0)] * 3 + [(0, -convolution.outputs % unit.lanes[0])])


def mark_fusable(builder: relax.BlockBuilder, variable: tvm.ir.GlobalVar) -> None:
    """Tell fusion that bias and activation may join: it would take an index of its own kind for something else."""
    function: tirx.PrimFunc = builder.get()[variable]
    builder.update_func(variable, function.with_attr("op_pattern", _OUT_ELEMENTWISE_FUSABLE))


def _direct(data: te.Tensor, weights: te.Tensor, convolution: Dense) -> te.Tensor:
    window = convolution.window
    padded = _padded(data, convolution)
    down, across = (2, 3) if convolution.channels_first else (1, 2)
    rows, columns, inputs, outputs = (int(extent) for extent in weights.shape)
    (step_y, step_x), (apart_y, apart_x) = window.strides, window.dilation
    height = (int(padded.shape[down]) - (rows - 1) * apart_y - 1) // step_y + 1
    width = (int(padded.shape[across]) - (columns - 1) * apart_x - 1) // step_x + 1
    ry, rx, rc = (te.reduce_axis((0, extent), name) for extent, name in ((rows, "ry"), (columns, "rx"), (inputs, "rc")))
    some = padded is not data and int(padded.shape[-1]) != inputs and not convolution.channels_first
    channel = hidden(rc.var) if some else rc.var

    def value(n: tirx.Var, y: tirx.Var, x: tirx.Var, o: tirx.Var) -> tvm.ir.Expr:
        row, column = y * step_y + ry * apart_y, x * step_x + rx * apart_x
        place = (n, channel, row, column) if convolution.channels_first else (n, row, column, channel)
        return te.sum(padded[place] * weights[ry, rx, rc, o], axis=[ry, rx, rc])

    macs = int(data.shape[0]) * height * width * rows * columns * inputs * convolution.outputs
    return te.compute((data.shape[0], height, width, outputs), value, name="conv2d", attrs={MACS: macs})


def _padded(data: te.Tensor, convolution: Dense) -> te.Tensor:
    top, left, bottom, right = convolution.window.pads
    if not any(convolution.window.pads):
        return data
    before, after = ([0, 0, top, left], [0, 0, bottom, right])
    if not convolution.channels_first:
        before, after = ([0, top, left, 0], [0, bottom, right, 0])
    return topi.nn.pad(data, before, after)
