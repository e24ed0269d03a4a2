"""Which convolutions of a network Winograd's method computes, within the growth of weights that its target allows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import tvm
from tvm import relax

from edgeprune.lowering.register_tile import VectorUnit
from edgeprune.lowering.winograd import Shape
from edgeprune.lowering.winograd_choice import block_width, instructions, worthwhile_sizes
from edgeprune.target.schema import Cpu

_FLOAT_BYTES = 4


@dataclass(frozen=True)
class _Move:
    """All convolutions of a shape by tiles of ``size``: instructions saved per inference, bytes added to weights."""

    shape: Shape
    size: int
    saved: float
    added: int


def winograd_sizes(module: tvm.IRModule, own_bytes: int, cpu: Cpu, unit: VectorUnit) -> dict[Shape, int]:
    """Return the size of the tiles for every shape of a convolution in ``main`` that Winograd's method computes.

    ``main`` is channels-last, its weights are constants; ``own_bytes`` is what they took as the network came.
    Convolutions of one shape share a kernel, so that they all get the same. Where the target bounds the growth of
    weights, those that save most per added byte come first.
    """
    if cpu.winograd is False:
        return {}
    shapes = Counter(shape for call in _calls(module) if (shape := winograd_shape(call)) is not None)
    sizes = {shape: worthwhile_sizes(shape, unit.lanes[0], cpu) for shape in shapes}
    if cpu.winograd is True:
        return {shape: found[-1] for shape, found in sizes.items() if found}
    return _within((cpu.winograd - 1) * own_bytes, shapes, sizes, cpu, unit)


def winograd_shape(call: relax.Call) -> Shape | None:
    """Return what Winograd's method needs to know of ``call``; None where it cannot compute that.

    It computes convolutions of 3x3 or 5x5 in one group, in steps of one, whose float32 weights are known.
    """
    if call.op != tvm.ir.Op.get("relax.nn.conv2d"):
        return None
    data, weight = call.args
    attributes = call.attrs
    steps = [int(value) for value in (*attributes.strides, *attributes.dilation, attributes.groups)]
    layouts = (attributes.data_layout, attributes.kernel_layout)
    if steps != [1] * 5 or layouts != ("NHWC", "HWIO") or not isinstance(weight, tvm.ir.expr.GenericConst):
        return None
    down, across, inputs, outputs = (int(extent) for extent in weight.ty.shape)
    if weight.ty.dtype != "float32" or (down, across) not in ((3, 3), (5, 5)):
        return None
    _, height, width, _ = (int(extent) for extent in data.ty.shape)
    top, left, bottom, right = (int(amount) for amount in attributes.padding)
    return Shape((height, width), (top, left, bottom, right), inputs, outputs, down)


def weight_bytes(module: tvm.IRModule) -> int:
    """Return the bytes of all floating-point constants in ``main``: of an imported network, its weights."""
    constants: list[tvm.ir.expr.GenericConst] = []
    relax.analysis.post_order_visit(
        module["main"], lambda node: constants.append(node) if isinstance(node, tvm.ir.expr.GenericConst) else None
    )
    return sum(value.nbytes for value in (constant.value.numpy() for constant in constants) if value.dtype.kind == "f")


def _calls(module: tvm.IRModule) -> Iterator[relax.Call]:
    for block in module["main"].body.blocks:
        for binding in block.bindings:
            if isinstance(binding.value, relax.Call):
                yield binding.value


def _within(
    room: float, shapes: Mapping[Shape, int], sizes: Mapping[Shape, tuple[int, ...]], cpu: Cpu, unit: VectorUnit
) -> dict[Shape, int]:
    """Return a choice that adds at most ``room`` bytes; ``shapes`` says how many convolutions are of each."""
    chosen: dict[Shape, int] = {}
    while True:
        moves = [
            _move(shape, chosen.get(shape), size, shapes[shape], cpu, unit)
            for shape, found in sizes.items()
            for size in found
            if size > chosen.get(shape, 0)
        ]
        possible = [move for move in moves if move.added <= room]
        if not possible:
            return chosen
        best = max(possible, key=lambda move: move.saved / move.added)
        chosen[best.shape] = best.size
        room -= best.added


def _move(shape: Shape, before: int | None, size: int, count: int, cpu: Cpu, unit: VectorUnit) -> _Move:
    lanes = unit.lanes[0]
    saved = instructions(shape, before, lanes, cpu) - instructions(shape, size, lanes, cpu)
    return _Move(shape, size, count * saved, count * (_stored(shape, size, unit) - _stored(shape, before, unit)))


def _stored(shape: Shape, size: int | None, unit: VectorUnit) -> int:
    """Return the bytes of a convolution's weights: the network's own, or transformed ones with zero channels."""
    if size is None:
        return _FLOAT_BYTES * shape.window**2 * shape.inputs * shape.outputs
    width = block_width(shape.outputs, unit)
    return _FLOAT_BYTES * shape.edge(size) ** 2 * shape.inputs * -(-shape.outputs // width) * width
