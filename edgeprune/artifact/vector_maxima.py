"""Maxima and minima of vectors as the one instruction that NEON has for each.

TVM compares and selects, which gives zero for the maximum of zero and NaN; LLVM may not put one instruction in place of
two that answer differently. These answer NaN, as ONNX's operators do.
"""

from __future__ import annotations

import tvm
from tvm import tirx

_INTRINSICS = {tirx.Max: "llvm.maximum", tirx.Min: "llvm.minimum"}
_VECTORS = ("float32x4",)


def with_vector_maxima(value: tvm.ir.Expr) -> tvm.ir.Expr:
    """Return ``value``, which is stored, with such intrinsics in place of the maxima and minima that it ends with."""
    name = _INTRINSICS.get(type(value))
    if name is None or str(value.ty.dtype) not in _VECTORS:
        return value
    operands = [with_vector_maxima(operand) for operand in (value.a, value.b)]
    return tirx.call_llvm_pure_intrin(str(value.ty.dtype), name, *operands)
