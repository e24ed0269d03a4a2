"""From an ONNX file to scheduled kernels for a board's CPU."""

from edgeprune.lowering.check import check_lowering, run_onnx, seeded_inputs
from edgeprune.lowering.import_onnx import import_onnx
from edgeprune.lowering.llvm_target import tvm_target
from edgeprune.lowering.lower import lower
from edgeprune.lowering.model import ImportedModel, Lowered, TensorSpec, task_module
from edgeprune.lowering.program import Buffer, Copy, KernelCall, Program, Role, read_program
from edgeprune.lowering.schedule import Scheduled, schedule

__all__ = [
    "Buffer",
    "Copy",
    "ImportedModel",
    "KernelCall",
    "Lowered",
    "Program",
    "Role",
    "Scheduled",
    "TensorSpec",
    "check_lowering",
    "import_onnx",
    "lower",
    "read_program",
    "run_onnx",
    "schedule",
    "seeded_inputs",
    "task_module",
    "tvm_target",
]
