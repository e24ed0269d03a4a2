"""Convolutions of 3x3 or 5x5 and stride 1 by Winograd's minimal filtering (Lavin & Gray, arXiv:1509.09308).

F(m, r) computes ``m x m`` outputs of a window of ``r x r`` from a tile of ``(m + r - 1) x (m + r - 1)`` inputs: tiles
and weights are transformed, one matrix product per element of the tile takes the place of ``r * r``, and the sums are
transformed back. F(2, 3) needs 2.25 times fewer multiplications than the definition, F(4, 3) four times and F(2, 5) 2.8
times fewer. The weights' transform is computed here, in float64.

With the points of interpolation ``0, +-p, +-q, infinity`` the transforms of each pair share their sums.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import tvm
from numpy.typing import NDArray
from tvm import te, tirx

from edgeprune.lowering.llvm_target import is_armv7

STAGE = "edgeprune.winograd"
"""The annotation of a stage's block, whose value is one of the names below."""
PAD, ROWS, INPUT, PRODUCT, COLUMNS, OUTPUT = "pad", "rows", "input", "product", "columns", "output"
MACS = "edgeprune.macs"
"""The annotation of the products' block: multiply-adds of the convolution by its definition."""

# The points other than 0 and infinity, by the edge of a tile of inputs. Lavin's 1 and 2 for F(4, 3) round 2.5 times as
# coarsely as these, whose product is 1 and saves a multiplication.
_POINTS = {4: (1.0,), 6: (math.sqrt(0.5), math.sqrt(2))}

# A mask: a power of two less one.
_MOST_CHANNELS = 0x7FFFFFFF

Terms = list[tvm.ir.Expr]


@dataclass(frozen=True)
class Shape:
    """A convolution by a ``window`` of 3x3 or 5x5.

    ``pads`` are top, left, bottom, right; ``image`` is the input's height and width.
    """

    image: tuple[int, int]
    pads: tuple[int, int, int, int]
    inputs: int
    outputs: int
    window: int = 3

    @property
    def result(self) -> tuple[int, int]:
        """Return height and width of the output."""
        top, left, bottom, right = self.pads
        lost = self.window - 1
        return self.image[0] + top + bottom - lost, self.image[1] + left + right - lost

    def tiles(self, size: int) -> tuple[int, int]:
        """Return how many tiles of ``size x size`` outputs cover the result, by rows and columns."""
        height, width = self.result
        return -(-height // size), -(-width // size)

    def edge(self, size: int) -> int:
        """Return how many inputs a tile of ``size x size`` outputs has in a row."""
        return size + self.window - 1


def transform_weights(weights: NDArray[np.float32], size: int, width: int) -> NDArray[np.float32]:
    """Return HWIO weights ``(window, window, I, O)`` as ``(ceil(O / width), edge, edge, I, width)``.

    One block of ``width`` output channels is one piece of memory, read from its beginning to its end; zeros fill the
    last.
    """
    window = weights.shape[0]
    matrix = _weight_matrix(size + window - 1, window)
    transformed = np.einsum("ar,rsio,bs->abio", matrix, weights.astype(np.float64), matrix)
    filled = np.pad(transformed, [(0, 0)] * 3 + [(0, -weights.shape[-1] % width)]).astype(np.float32)
    blocks = filled.reshape(*filled.shape[:-1], -1, width)
    return np.ascontiguousarray(np.moveaxis(blocks, 3, 0))


def winograd(data: te.Tensor, weights: te.Tensor, shape: Shape, size: int, lanes: int) -> te.Tensor:
    """Return the tiles ``(N, down, across, size, size, channels)`` of the convolution of NHWC ``data``.

    ``weights`` are what `transform_weights` gave, whose zero channels are among the result's. Input channels are filled
    up to a multiple of ``lanes`` where they are transformed, if ``data`` is not filled up already.
    """
    padded = _padded(data, shape, size, lanes)
    edge = shape.edge(size)
    batch, (down, across) = int(data.shape[0]), shape.tiles(size)
    channels = int(padded.shape[-1])
    blocks, *_, width = (int(extent) for extent in weights.shape)
    rows = te.compute(
        (batch, down, across, edge, edge, channels),
        lambda n, i, j, a, b, c: _choose(a, _forward([padded[n, i * size + r, j * size + b, c] for r in range(edge)])),
        name="winograd_rows",
        attrs=_stage(ROWS),
    )
    tiles = te.compute(
        (batch, down, across, edge, edge, channels),
        lambda n, i, j, a, b, c: _choose(b, _forward([rows[n, i, j, a, s, c] for s in range(edge)])),
        name="winograd_input",
        attrs=_stage(INPUT),
    )
    channel = te.reduce_axis((0, shape.inputs), "ci")
    among = _same if shape.inputs == channels else hidden
    macs = batch * shape.result[0] * shape.result[1] * shape.window**2 * shape.inputs * shape.outputs
    products = te.compute(
        (edge, edge, batch, down, across, blocks * width),
        lambda a, b, n, i, j, o: te.sum(
            tiles[n, i, j, a, b, among(channel.var)] * weights[o // width, a, b, channel, o % width], axis=channel
        ),
        name="winograd_product",
        attrs={**_stage(PRODUCT), MACS: macs},
    )
    columns = te.compute(
        (batch, down, across, size, edge, blocks * width),
        lambda n, i, j, x, b, o: _choose(x, _backward([products[a, b, n, i, j, o] for a in range(edge)], size)),
        name="winograd_columns",
        attrs=_stage(COLUMNS),
    )
    return te.compute(
        (batch, down, across, size, size, blocks * width),
        lambda n, i, j, x, y, o: _choose(y, _backward([columns[n, i, j, x, b, o] for b in range(edge)], size)),
        name="winograd_output",
        attrs=_stage(OUTPUT),
    )


def untiled(tiles: te.Tensor, shape: Shape, size: int, kept: int) -> te.Tensor:
    """Return what `winograd` gave as an image of its first ``kept`` channels."""
    among = _same if kept == int(tiles.shape[-1]) else hidden
    return te.compute(
        (tiles.shape[0], *shape.result, kept),
        lambda n, h, w, c: tiles[n, h // size, w // size, h % size, w % size, among(c)],
        name="real_channels",
        tag="injective",
    )


def _same(channel: tvm.ir.Expr) -> tvm.ir.Expr:
    return channel


def hidden(channel: tvm.ir.Expr) -> tvm.ir.Expr:
    """Return ``channel`` by an operation whose range TVM does not know.

    Where a stage has more channels than the next one reads, TVM would leave the others out of its loops, and so break
    the last vector of each pixel into single numbers. On ARMv7 the operation is one that bounds its result: not knowing
    that it fits in 32 bits, TVM would compute addresses in 64.
    """
    target = tvm.target.Target.current(allow_none=True)
    if target is not None and is_armv7(target):
        return tirx.bitwise_and(channel, tirx.const(_MOST_CHANNELS, channel.ty.dtype))
    return tirx.bitwise_or(channel, tirx.const(0, channel.ty.dtype))


def _stage(name: str) -> dict[str, str]:
    # MetaSchedule's rules would inline or tile each stage for itself.
    return {STAGE: name, "schedule_rule": "None"}


def _padded(data: te.Tensor, shape: Shape, size: int, lanes: int) -> te.Tensor:
    down, across = shape.tiles(size)
    top, left, _, _ = shape.pads
    (height, width), inputs = shape.image, shape.inputs
    channels = -(-inputs // lanes) * lanes

    def value(n: tirx.Var, y: tirx.Var, x: tirx.Var, c: tirx.Var) -> tvm.ir.Expr:
        inside = [y >= top, y < height + top, x >= left, x < width + left]
        if channels > int(data.shape[-1]):
            inside.append(c < inputs)
        return te.if_then_else(te.all(*inside), data[n, y - top, x - left, c], tirx.const(0, data.dtype))

    beyond = shape.window - 1
    extents = (data.shape[0], down * size + beyond, across * size + beyond, channels)
    return te.compute(extents, value, name="winograd_pad", attrs=_stage(PAD))


def _choose(index: tirx.Var, values: Sequence[tvm.ir.Expr]) -> tvm.ir.Expr:
    """Return ``values[index]``; loops over ``index`` are unrolled, which leaves one of them."""
    chosen = values[-1]
    for number in range(len(values) - 2, -1, -1):
        chosen = tirx.Select(index == number, values[number], chosen)
    return chosen


def _weight_matrix(edge: int, window: int) -> NDArray[np.float64]:
    points, powers = _POINTS[edge], range(window)
    rows = [[(-1) ** len(points) / float(np.prod(np.square(points))), *[0.0] * (window - 1)]]
    for point in points:
        rest = float(np.prod([point**2 - other**2 for other in points if other != point]))
        for signed in (point, -point):
            rows.append([signed**power / (2 * point**2 * rest) for power in powers])
    rows.append([*[0.0] * (window - 1), 1.0])
    return np.array(rows)


def _forward(d: Terms) -> Terms:
    """Return one dimension of the input's transform: as many values as ``d``."""
    if len(d) == 4:
        (p,) = _POINTS[len(d)]
        return [d[2] - _times(p**2, d[0]), *_pair(d[2], d[1], p), d[3] - _times(p**2, d[1])]
    p, q = _POINTS[len(d)]
    both, product = p**2 + q**2, (p * q) ** 2
    return [
        d[4] - _times(both, d[2]) + _times(product, d[0]),
        *_pair(d[4] - _times(q**2, d[2]), d[3] - _times(q**2, d[1]), p),
        *_pair(d[4] - _times(p**2, d[2]), d[3] - _times(p**2, d[1]), q),
        d[5] - _times(both, d[3]) + _times(product, d[1]),
    ]


def _pair(even: tvm.ir.Expr, odd: tvm.ir.Expr, point: float) -> Terms:
    scaled = _times(point, odd)
    return [even + scaled, even - scaled]


def _backward(m: Terms, size: int) -> Terms:
    """Return one dimension of the output's transform: ``size`` values from ``m``."""
    pairs = list(zip(_POINTS[len(m)], m[1::2], m[2::2], strict=False))
    results = []
    for power in range(size):
        terms = [_times(p**power, plus + minus if power % 2 == 0 else plus - minus) for p, plus, minus in pairs]
        if power == 0:
            terms.insert(0, m[0])
        if power == size - 1:
            terms.append(m[-1])
        results.append(functools.reduce(operator.add, terms))
    return results


def _times(factor: float, value: tvm.ir.Expr) -> tvm.ir.Expr:
    return value if math.isclose(factor, 1.0) else tirx.const(factor, "float32") * value
