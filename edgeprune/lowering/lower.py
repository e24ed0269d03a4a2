"""From ONNX to fused kernels: the passes before tuning."""

from __future__ import annotations

from pathlib import Path

import tvm
from tvm import relax
from tvm.relax import transform

from edgeprune.errors import StageFailure, UserError
from edgeprune.lowering.fill_channels import fill_channels
from edgeprune.lowering.fold import fold_layouts
from edgeprune.lowering.half import half_passes, reject_overflowing_weights
from edgeprune.lowering.import_onnx import import_onnx
from edgeprune.lowering.legalize import Legalizer, legalizers
from edgeprune.lowering.llvm_target import tvm_target
from edgeprune.lowering.model import ImportedModel, Lowered
from edgeprune.lowering.origins import CallOrigins, nodes_of_variables
from edgeprune.lowering.ranks import spell_out_scalars
from edgeprune.lowering.register_tile import VectorUnit
from edgeprune.lowering.winograd_plan import weight_bytes, winograd_sizes
from edgeprune.target import Target
from edgeprune.target.schema import Cpu

# Channels innermost make every kernel's inner loop contiguous; weights follow, output channels innermost. Transposed
# convolutions have kernels in the other layout only.
_LAYOUT = {"relax.nn.conv2d": ["NHWC", "HWIO"], "relax.nn.conv2d_transpose": ["NCHW", "IOHW"]}


def lower(path: Path, target: Target) -> Lowered:
    """Return the network in ``path`` as fused kernels for ``target``, ready for tuning and scheduling.

    Raises:
        UserError: what `import_onnx` and `tvm_target` refuse, an operator without a kernel, or a weight that the
            target's precision cannot hold.
        StageFailure: a pass of TVM failed on a network it should accept.
    """
    imported = import_onnx(path)
    reject_overflowing_weights(imported, target)
    compiled_for = tvm_target(target)
    unit = VectorUnit.of(compiled_for).holding(target.cpu.precision)
    passes = [*_layout_passes(target.cpu), *half_passes(target)]
    try:
        with compiled_for:
            channels_last = tvm.ir.transform.Sequential(passes)(spell_out_scalars(imported.module))
            canonical = transform.CanonicalizeBindings()(fold_layouts(channels_last))
            sizes = winograd_sizes(canonical, weight_bytes(imported.module), target.cpu, unit)
            filled = fill_channels(canonical, sizes, unit)
            unfused = tvm.ir.transform.Sequential(_kernel_passes(legalizers(unit)))(filled)
            _reject_leftovers(imported, unfused)
            grouped = transform.FuseOps()(unfused)
            module = tvm.ir.transform.Sequential(_fused_passes())(grouped)
    except (tvm.error.InternalError, ValueError, TypeError, RuntimeError) as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise StageFailure(f"{path}: TVM could not lower the network: {reason[-1]}") from error
    calls = _call_nodes(module, CallOrigins(unfused).of_calls(grouped), imported.nodes)
    return Lowered(module, imported.inputs, imported.outputs, imported.onnx_sha256, calls)


def _call_nodes(
    module: tvm.IRModule, origins: list[frozenset[int]], names: tuple[str, ...]
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return kernel and nodes of every call of a kernel; ``origins`` are those of all calls in ``main``, in order."""
    calls = [binding.value for block in module["main"].body.blocks for binding in block.bindings]
    calls = [call for call in calls if isinstance(call, relax.Call)]
    return tuple(
        # Two nodes of the graph that stand for one of the file bear the same name.
        (call.args[0].name_hint, tuple(dict.fromkeys(names[index] for index in sorted(nodes))))
        for call, nodes in zip(calls, origins, strict=True)
        if call.op.name == "relax.call_tir"
    )


def _reject_leftovers(imported: ImportedModel, unfused: tvm.IRModule) -> None:
    """Refuse a network with an operator for which TVM has no kernel on a CPU without its runtime."""
    nodes = nodes_of_variables(unfused["main"])
    for block in unfused["main"].body.blocks:
        for binding in block.bindings:
            operator = getattr(getattr(binding.value, "op", None), "name", "")
            if isinstance(binding.value, relax.Call) and operator not in ("relax.call_tir", "relax.reshape"):
                named = " and ".join(imported.nodes[index] for index in sorted(nodes[binding.var]))
                where = f"node {named}: " if named else ""
                operator = (operator or str(binding.value.op)).removeprefix("relax.")
                raise UserError(f"{imported.path}: {where}operator {operator} is not supported in an artifact")


def _layout_passes(cpu: Cpu) -> list[tvm.ir.transform.Pass]:
    # ONNX has channels first, which then needs nothing.
    converted = [transform.ConvertLayout(_LAYOUT)] if cpu.layout == "NHWC" else []
    return [transform.DecomposeOpsForInference(), transform.CanonicalizeBindings(), *converted]


def _kernel_passes(rules: dict[str, Legalizer]) -> list[tvm.ir.transform.Pass]:
    return [
        transform.CanonicalizeBindings(),
        transform.LegalizeOps(rules),
        transform.AnnotateTIROpPattern(),
        transform.FoldConstant(),
        transform.DeadCodeElimination(),
    ]


def _fused_passes() -> list[tvm.ir.transform.Pass]:
    return [
        transform.FuseTIR(),
        transform.DeadCodeElimination(),
        # Marks weights as free to be re-laid out; tuning and scheduling both depend on the mark.
        transform.AttachAttrLayoutFreeBuffers(),
        # A reshape is a second name for a buffer: neither a kernel nor a tuning task.
        transform.RewriteDataflowReshape(),
        transform.DeadCodeElimination(),
    ]
