"""ONNX operators that TVM's importer does not have, out of operators that it has."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from tvm import relax

Inputs = Sequence[relax.Expr | None]
Conversion = Callable[[Inputs, Mapping[str, Any]], relax.Expr]


def _celu(inputs: Inputs, attributes: Mapping[str, Any]) -> relax.Expr:
    """``max(0, x) + min(0, alpha * (exp(x / alpha) - 1))``."""
    data, alpha = inputs[0], float(attributes.get("alpha", 1.0))
    # Where the exponential counts at all, its argument is not positive; left alone it would become infinite.
    negative = relax.op.minimum(data, _number(0.0))
    powers = relax.op.exp(relax.op.divide(negative, _number(alpha)))
    below = relax.op.multiply(relax.op.subtract(powers, _number(1.0)), _number(alpha))
    return relax.op.add(relax.op.maximum(data, _number(0.0)), below)


def _swish(inputs: Inputs, attributes: Mapping[str, Any]) -> relax.Expr:
    """``x * sigmoid(alpha * x)``."""
    data, alpha = inputs[0], float(attributes.get("alpha", 1.0))
    return relax.op.multiply(data, relax.op.sigmoid(relax.op.multiply(data, _number(alpha))))


def _lp_normalization(inputs: Inputs, attributes: Mapping[str, Any]) -> relax.Expr:
    """``x / |x|`` along one axis, by the sum of absolute values or by the Euclidean norm."""
    data, axis = inputs[0], int(attributes.get("axis", -1))
    if int(attributes.get("p", 2)) == 1:
        norm = relax.op.sum(relax.op.abs(data), axis=axis, keepdims=True)
    else:
        norm = relax.op.sqrt(relax.op.sum(relax.op.multiply(data, data), axis=axis, keepdims=True))
    return relax.op.divide(data, norm)


def _number(value: float) -> relax.Expr:
    return relax.const(np.float32(value))


OWN_OPERATORS: dict[str, Conversion] = {"Celu": _celu, "Swish": _swish, "LpNormalization": _lp_normalization}
"""By the operator's name in ONNX's own domain."""
