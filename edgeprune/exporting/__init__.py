"""From a torch network to an ONNX file."""

from edgeprune.exporting.torch_to_onnx import export_onnx

__all__ = ["export_onnx"]
