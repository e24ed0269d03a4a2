"""From ONNX to fused kernels: the passes before tuning."""

from __future__ import annotations

from pathlib import Path

import tvm
from tvm import relax
from tvm.relax import transform

from edgeprune.errors import StageFailure, UserError
from edgeprune.lowering.fold import fold_layouts
from edgeprune.lowering.import_onnx import import_onnx
from edgeprune.lowering.legalize import padded_legalizers
from edgeprune.lowering.llvm_target import tvm_target
from edgeprune.lowering.model import Lowered
from edgeprune.lowering.register_tile import VectorUnit
from edgeprune.target import Target

# Channels innermost make every kernel's inner loop contiguous; weights follow, output channels innermost. Transposed
# convolutions have kernels in the other layout only.
_LAYOUT = {"relax.nn.conv2d": ["NHWC", "HWIO"], "relax.nn.conv2d_transpose": ["NCHW", "IOHW"]}


def lower(path: Path, target: Target) -> Lowered:
    """Return the network in ``path`` as fused kernels for ``target``, ready for tuning and scheduling.

    Raises:
        UserError: what `import_onnx` and `tvm_target` refuse, or an operator without a kernel.
        StageFailure: a pass of TVM failed on a network it should accept.
    """
    imported = import_onnx(path)
    compiled_for = tvm_target(target)
    lanes = VectorUnit.of(compiled_for).lanes[0]
    try:
        with compiled_for:
            channels_last = tvm.ir.transform.Sequential(_layout_passes())(imported.module)
            module = tvm.ir.transform.Sequential(_kernel_passes(lanes))(fold_layouts(channels_last))
    except (tvm.error.InternalError, ValueError, TypeError, RuntimeError) as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise StageFailure(f"{path}: TVM could not lower the network: {reason[-1]}") from error
    _reject_leftovers(path, module)
    return Lowered(module, imported.inputs, imported.outputs, imported.onnx_sha256, {})


def _reject_leftovers(path: Path, module: tvm.IRModule) -> None:
    """Refuse a network with an operator for which TVM has no kernel on a CPU without its runtime."""
    for block in module["main"].body.blocks:
        for binding in block.bindings:
            if not isinstance(binding.value, relax.Call):
                continue
            operator = getattr(binding.value.op, "name", str(binding.value.op))
            if operator not in ("relax.call_tir", "relax.reshape"):
                raise UserError(f"{path}: operator {operator.removeprefix('relax.')} is not supported in an artifact")


def _layout_passes() -> list[tvm.ir.transform.Pass]:
    return [
        transform.DecomposeOpsForInference(),
        transform.CanonicalizeBindings(),
        transform.ConvertLayout(_LAYOUT),
    ]


def _kernel_passes(lanes: int) -> list[tvm.ir.transform.Pass]:
    return [
        transform.CanonicalizeBindings(),
        transform.LegalizeOps(padded_legalizers(lanes)),
        transform.AnnotateTIROpPattern(),
        transform.FoldConstant(),
        transform.FuseOps(),
        transform.FuseTIR(),
        transform.DeadCodeElimination(),
        # Marks weights as free to be re-laid out; tuning and scheduling both depend on the mark.
        transform.AttachAttrLayoutFreeBuffers(),
        # A reshape is a second name for a buffer: neither a kernel nor a tuning task.
        transform.RewriteDataflowReshape(),
        transform.DeadCodeElimination(),
    ]
