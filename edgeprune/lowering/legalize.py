"""Convolutions and matrix products whose output channels fill whole vectors, whatever number pruning has left.

A vector register holds four floats on ARM and eight with AVX. With 50 output channels LLVM would have to split every
vector of a tile, and a tuner can only choose tiles that divide 50. So the weights get zero channels up to the next
multiple of a register (at compile time), the sums are taken over all of them, and a slice in the same kernel lets only
real channels out.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import tvm
from tvm import relax, te, topi

from edgeprune.lowering.convolution import mark_fusable
from edgeprune.lowering.register_tile import VectorUnit

Legalizer = Callable[[relax.BlockBuilder, relax.Call], relax.Expr]


def legalizers(unit: VectorUnit) -> dict[str, Legalizer]:
    """Return rules for `relax.transform.LegalizeOps` in place of TOPI's; ``unit`` holds the network's precision."""
    return {"relax.nn.conv2d": partial(_conv2d, unit), "relax.matmul": partial(_matmul, unit)}


def _conv2d(unit: VectorUnit, builder: relax.BlockBuilder, call: relax.Call) -> relax.Expr:
    attributes = call.attrs
    weight = call.args[1]
    plain = attributes.data_layout == "NHWC" and attributes.kernel_layout == "HWIO" and int(attributes.groups) == 1
    if not plain or not _is_odd(builder, weight, unit.lanes[0]):
        return _standard("relax.nn.conv2d", builder, call)

    def compute(data: te.Tensor, kernel: te.Tensor) -> te.Tensor:
        return topi.nn.conv(
            data,
            kernel,
            [int(step) for step in attributes.strides],
            [int(amount) for amount in attributes.padding],
            [int(step) for step in attributes.dilation],
            1,
            data_layout="NHWC",
            kernel_layout="HWIO",
        )

    return _sliced(builder, call, compute, "conv2d", unit.lanes[0])


def _matmul(unit: VectorUnit, builder: relax.BlockBuilder, call: relax.Call) -> relax.Expr:
    weight = call.args[1]
    if not _is_odd(builder, weight, unit.lanes[0]) or len(weight.ty.shape) != 2 or len(call.args[0].ty.shape) != 2:
        return _standard("relax.matmul", builder, call)
    return _sliced(builder, call, topi.nn.matmul, "matmul", unit.lanes[0])


def _is_odd(builder: relax.BlockBuilder, weight: relax.Expr, lanes: int) -> bool:
    if weight.ty.dtype not in ("float32", "float16") or int(weight.ty.shape[-1]) % lanes == 0:
        return False
    return _is_known(builder, weight)


def _is_known(builder: relax.BlockBuilder, value: relax.Expr) -> bool:
    """Whether ``value`` can be computed now: padding anything else would cost time at every inference."""
    if isinstance(value, tvm.ir.expr.GenericConst):
        return True
    if isinstance(value, relax.Var):
        binding = builder.lookup_binding(value)
        return binding is not None and _is_known(builder, binding)
    if isinstance(value, relax.Tuple):
        return len(value.fields) > 0 and all(_is_known(builder, field) for field in value.fields)
    if isinstance(value, relax.Call):
        operands = [operand for operand in value.args if isinstance(operand, relax.Tuple | relax.Var)]
        constants = [operand for operand in value.args if isinstance(operand, tvm.ir.expr.GenericConst)]
        return bool(operands or constants) and all(_is_known(builder, operand) for operand in operands)
    return False


def _standard(operator: str, builder: relax.BlockBuilder, call: relax.Call) -> relax.Expr:
    return tvm.ir.Op.get(operator).get_attr("FLegalize")(builder, call)


def _sliced(
    builder: relax.BlockBuilder,
    call: relax.Call,
    compute: Callable[[te.Tensor, te.Tensor], te.Tensor],
    name: str,
    lanes: int,
) -> relax.Expr:
    weight = call.args[1]
    missing = -int(weight.ty.shape[-1]) % lanes
    after = [0] * (len(weight.ty.shape) - 1) + [missing]
    padded = builder.emit(
        builder.call_te(topi.nn.pad, weight, [0] * len(after), after, primfunc_name_hint="pad_weight")
    )

    def sliced(data: te.Tensor, kernel: te.Tensor) -> te.Tensor:
        sums = compute(data, kernel)
        real = [*sums.shape[:-1], weight.ty.shape[-1]]
        return te.compute(real, lambda *indices: sums(*indices), name="real_channels", tag="injective")

    result = builder.call_te(sliced, call.args[0], padded, primfunc_name_hint=name)
    mark_fusable(builder, result.args[0])
    return result
