"""Element-wise operations in the form that the change of layout understands.

TVM moves an operation into another layout when both operands have the same rank. A bound or a factor usually comes as
a scalar; left alone it would leave a transposition before and another one behind every ReLU6 and hard swish.
"""

from __future__ import annotations

import numpy as np
import tvm
from tvm import relax

_COMMUTATIVE = frozenset(f"relax.{name}" for name in ("add", "multiply", "maximum", "minimum"))
_BINARY = _COMMUTATIVE | {"relax.subtract", "relax.divide", "relax.power"}
_IMAGE_RANK = 4


def spell_out_scalars(module: tvm.IRModule) -> tvm.IRModule:
    """Return ``module`` with scalars beside images ``(N, C, H, W)`` given four axes, and clips as their two bounds."""
    rewriter = _Rewriter(module)
    rewritten = rewriter.visit_expr(module["main"])
    rewriter.builder_.update_func(module.get_global_var("main"), rewritten)
    return rewriter.builder_.get()


@relax.expr_functor.mutator
class _Rewriter(relax.PyExprMutator):  # type: ignore[misc]
    def visit_call_(self, call: relax.Call) -> relax.Expr:
        visited = self.visit_expr_post_order(call)
        operator = getattr(visited.op, "name", "")
        if not visited.args or not any(_is_image(argument) for argument in visited.args):
            return visited
        if operator in _BINARY:
            operands = [_with_four_axes(argument) for argument in visited.args]
            # The first operand's layout is the one that counts.
            if operator in _COMMUTATIVE and isinstance(operands[0], tvm.ir.expr.GenericConst):
                operands.reverse()
            return relax.Call(visited.op, operands, visited.attrs)
        if operator == "relax.clip":
            data, low, high = visited.args
            above = self.builder_.emit(relax.op.maximum(data, _scalar(low)))
            return relax.op.minimum(above, _scalar(high))
        if operator == "relax.nn.leakyrelu" and 0 <= float(visited.attrs.alpha) <= 1:
            data = visited.args[0]
            return relax.op.maximum(data, self.builder_.emit(relax.op.multiply(data, _scalar(visited.attrs.alpha))))
        return visited


def _is_image(value: relax.Expr) -> bool:
    kind = getattr(value, "ty", None)
    return isinstance(kind, relax.TensorType) and kind.ndim == _IMAGE_RANK and kind.dtype == "float32"


def _with_four_axes(value: relax.Expr) -> relax.Expr:
    if not isinstance(value, tvm.ir.expr.GenericConst):
        return value
    array = value.value.numpy()
    return relax.const(array.reshape((1,) * _IMAGE_RANK)) if array.size == 1 else value


def _scalar(value: relax.Expr | float) -> relax.Expr:
    number = float(getattr(value, "value", value))
    return relax.const(np.full((1,) * _IMAGE_RANK, number, dtype=np.float32))
