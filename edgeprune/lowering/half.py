"""Half precision: weights, intermediate values and sums in float16, inputs and outputs in float32.

A float16 has 11 significant bits and ends at 65504. Sums are kept in float16 too, for that is what makes a core twice
as fast; operators that TVM deems unsafe in float16 (exponentials, say) stay in float32 between conversions.
"""

from __future__ import annotations

import tvm
from tvm.relax import transform

from edgeprune.errors import UserError
from edgeprune.lowering.llvm_target import tvm_target
from edgeprune.target import Target

_FEATURE = "fullfp16"
# Kernels the importer writes out itself (padding, say) have float32 in their very code. TVM's pass takes them for
# operators and fails; with this policy it leaves them as they are and converts around them.
_LEAVE_ALONE = -1
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
