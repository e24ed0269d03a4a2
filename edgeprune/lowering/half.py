"""Half precision: weights, intermediate values and sums in float16, inputs and outputs in float32.

A float16 has 11 significant bits and ends at 65504. Sums are kept in float16 too, for that is what makes a core twice
as fast; operators that TVM deems unsafe in float16 (exponentials, say) stay in float32 between conversions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import tvm
from tvm import relax
from tvm.relax import transform

from edgeprune.errors import UserError
from edgeprune.lowering.llvm_target import tvm_target
from edgeprune.lowering.model import ImportedModel
from edgeprune.target import Target

_FEATURE = "fullfp16"
# Kernels the importer writes out itself (padding, say) have float32 in their very code. TVM's pass takes them for
# operators and fails; with this policy it leaves them as they are and converts around them.
_LEAVE_ALONE = -1
_LARGEST = float(np.finfo(np.float16).max)
_WEIGHTED = ("conv1d", "conv2d", "conv3d", "conv1d_transpose", "conv2d_transpose", "matmul", "multiply", "add")
_NODE = re.compile(r"node(\d+)_")
tvm.ir.register_op_attr("relax.call_tir", "TMixedPrecisionPolicy", _LEAVE_ALONE)


def half_passes(target: Target) -> list[tvm.ir.transform.Pass]:
    """Return the passes that turn a float32 network into what ``target``'s precision asks for: none for float32.

    Raises:
        UserError: float16 is asked of a core that cannot compute in it.
    """
    if target.cpu.precision == "float32":
        return []
    compiled_for = tvm_target(target)
    features = {str(feature) for feature in tvm.target.codegen.llvm_get_cpu_features(compiled_for)}
    if target.cpu.isa != "aarch64" or _FEATURE not in features:
        raise UserError(
            f"target {target.name}: cpu.precision: 'float16' needs a 64-bit ARM core that computes in it "
            f"(Cortex-A55, A76 and later: attribute +{_FEATURE}); {target.cpu.name} does not"
        )
    return [transform.ToMixedPrecision(out_dtype="float16"), transform.CanonicalizeBindings()]


def reject_overflowing_weights(imported: ImportedModel, target: Target) -> None:
    """Refuse weights that would become infinite in ``target``'s precision.

    A bound of a comparison may: every value is below infinity. So may a large negative term of a sum, with which
    attention masks what it must not see.

    Raises:
        UserError: a weight lies beyond float16's largest value; its node is named.
    """
    if target.cpu.precision == "float32":
        return
    for variable, operator, weight in _weights(imported.module["main"]):
        beyond = weight[np.isfinite(weight) & (np.abs(weight) > _LARGEST)]
        if operator == "add":
            beyond = beyond[beyond > 0]
        if beyond.size:
            found = _NODE.match(variable)
            node = imported.nodes[int(found.group(1))] if found is not None else variable
            raise UserError(
                f"{imported.path}: node {node}: a weight of {beyond.flat[0]:.6g} does not fit float16, which ends at "
                f'{_LARGEST:.0f}; build for a target whose cpu.precision is "float32"'
            )


def _weights(main: relax.Function) -> Iterator[tuple[str, str, np.ndarray]]:
    """Yield every constant that is multiplied or added: the variable it goes into, the operator, its values."""
    for binding in (binding for block in main.body.blocks for binding in block.bindings):
        operator = getattr(getattr(binding.value, "op", None), "name", "").rpartition(".")[2]
        if operator not in _WEIGHTED:
            continue
        for operand in binding.value.args:
            if isinstance(operand, tvm.ir.expr.GenericConst) and str(operand.ty.dtype) == "float32":
                yield binding.var.name, operator, operand.value.numpy()
