"""TVM's ONNX importer, with own conversions where it has none or its own would cost time on the board."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import onnx
import tvm
from tvm import relax
from tvm.relax.frontend.onnx.onnx_frontend import ONNXGraphImporter

from edgeprune.lowering.own_operators import OWN_OPERATORS

_BOUNDS_AS_INPUTS_OPSET = 11


class OnnxImporter(ONNXGraphImporter):  # type: ignore[misc]
    """Keeps bounds as plain comparisons, and axes counted from the front.

    TVM's importer checks constant bounds for NaN at run time and stacks the operands of Max and Min; either keeps the
    layout from being changed and kernels from being fused.
    """

    def __init__(self) -> None:
        super().__init__({}, "float32")

    @property
    def values(self) -> dict[str, relax.Expr | None]:
        """Return what each value of the ONNX graph has become."""
        values: dict[str, relax.Expr | None] = self._nodes
        return values

    def _check_for_unsupported_ops(self, graph: onnx.GraphProto) -> None:
        """Leave it to `import_onnx`, which names the node and knows of own operators."""

    def _convert_operator(
        self, op_name: str, inputs: Sequence[relax.Expr | None], attrs: dict[str, Any], opset: int
    ) -> relax.Expr:
        own = None
        if op_name in OWN_OPERATORS:
            own = OWN_OPERATORS[op_name](inputs, attrs)
        elif op_name == "Clip":
            own = _clip(inputs, attrs, opset)
        elif op_name == "Squeeze":
            own = _squeeze(inputs, attrs)
        elif op_name in _PAIRWISE and len(inputs) > 1 and not all(_is_constant(value) for value in inputs):
            own = functools.reduce(_PAIRWISE[op_name], inputs)
        return super()._convert_operator(op_name, inputs, attrs, opset) if own is None else self.bb.normalize(own)


_PAIRWISE: dict[str, Callable[[relax.Expr, relax.Expr], relax.Expr]] = {
    "Max": relax.op.maximum,
    "Min": relax.op.minimum,
}


def _clip(inputs: Sequence[relax.Expr | None], attributes: dict[str, Any], opset: int) -> relax.Expr | None:
    """Return the clip, or None where a bound is computed by the network or not a number."""
    data = inputs[0]
    if opset < _BOUNDS_AS_INPUTS_OPSET:
        bounds = [attributes.get("min"), attributes.get("max")]
    else:
        given = [inputs[1], inputs[2]]
        if any(value is not None and not _is_constant(value) for value in given):
            return None
        bounds = [None if value is None else float(value.value.numpy()) for value in given]
    if (
        data is None
        or str(data.ty.dtype) != "float32"
        or any(math.isnan(bound) for bound in bounds if bound is not None)
    ):
        return None
    low, high = bounds
    result = data if low is None else relax.op.maximum(data, relax.const(low, "float32"))
    return result if high is None else relax.op.minimum(result, relax.const(high, "float32"))


def _squeeze(inputs: Sequence[relax.Expr | None], attributes: dict[str, Any]) -> relax.Expr | None:
    """Return the squeeze with its axes counted from the front, or None where they are not known.

    TVM's change of layout takes an axis that is counted from the end for a place before the first letter.
    """
    data, *given = inputs
    if given and given[0] is not None:
        axes = given[0].value.numpy().tolist() if _is_constant(given[0]) else None
    else:
        axes = attributes.get("axes")
    if axes is None or data is None or _is_constant(data) or not isinstance(data.ty, relax.TensorType):
        return None
    return relax.op.squeeze(data, [int(axis) % data.ty.ndim for axis in axes])


def _is_constant(value: relax.Expr | None) -> bool:
    return isinstance(value, tvm.ir.expr.GenericConst)
