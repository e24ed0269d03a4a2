"""From an ONNX file to scheduled kernels for a board's CPU."""

from edgeprune.lowering.import_onnx import import_onnx
from edgeprune.lowering.llvm_target import tvm_target
from edgeprune.lowering.lower import lower
from edgeprune.lowering.model import ImportedModel, Lowered, TensorSpec, task_module

__all__ = ["ImportedModel", "Lowered", "TensorSpec", "import_onnx", "lower", "task_module", "tvm_target"]
