"""Re-laying out weights here and now.

TVM's own folding compiles a kernel with LLVM for every constant it computes, which takes most of the time of lowering
a network with a hundred layers. Nearly all of that work is transposing, and NumPy does it in milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tvm
from numpy.typing import NDArray
from tvm import relax

Array = NDArray[np.generic]


def fold_layouts(module: tvm.IRModule) -> tvm.IRModule:
    """Return ``module`` with every transposed, reshaped or broadcastable constant of ``main`` computed."""
    folder = _Folder(module)
    folded = folder.visit_expr(module["main"])
    folder.builder_.update_func(module.get_global_var("main"), folded)
    return folder.builder_.get()


def _transposed(call: relax.Call, value: Array) -> Array:
    axes = call.attrs.axes
    return np.transpose(value, None if axes is None else [int(axis) for axis in axes])


def _reshaped(call: relax.Call, value: Array) -> Array:
    return value.reshape([int(extent) for extent in call.ty.shape])


def _converted(call: relax.Call, value: Array) -> Array:
    return value.astype(str(call.ty.dtype))


_RULES: dict[str, Callable[[relax.Call, Array], Array]] = {
    "relax.permute_dims": _transposed,
    "relax.reshape": _reshaped,
    "relax.expand_dims": _reshaped,
    "relax.squeeze": _reshaped,
    "relax.astype": _converted,
}


@relax.expr_functor.mutator
class _Folder(relax.PyExprMutator):  # type: ignore[misc]
    """Replaces calls on constants by their results, in the order of the bindings."""

    def visit_call_(self, call: relax.Call) -> relax.Expr:
        visited = self.visit_expr_post_order(call)
        rule = _RULES.get(getattr(visited.op, "name", ""))
        if rule is None:
            return visited
        operand = visited.args[0]
        if isinstance(operand, relax.Var):
            operand = self.lookup_binding(operand)
        if not isinstance(operand, tvm.ir.expr.GenericConst):
            return visited
        return relax.const(np.ascontiguousarray(rule(call, operand.value.numpy())))
