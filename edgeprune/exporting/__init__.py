"""From a torch network to an ONNX file that ONNX Runtime agrees with."""

from edgeprune.exporting.onnx_runtime import run_onnx
from edgeprune.exporting.torch_to_onnx import export_onnx

__all__ = ["export_onnx", "run_onnx"]
