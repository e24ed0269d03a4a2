"""Removing what is dead from an ONNX file: a smaller dense one that computes the same."""

from edgeprune.onnx_pruning.compact import OnnxPlan, compact_onnx, remove_dead
from edgeprune.onnx_pruning.graph import Graph, load_graph

__all__ = ["Graph", "OnnxPlan", "compact_onnx", "load_graph", "remove_dead"]
