"""Small ONNX networks made by hand, with named and seeded weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


class Network:
    """Collects nodes and weights; a node's name is that of its output."""

    def __init__(self, seed: int = 0) -> None:
        self._generator = np.random.default_rng(seed)
        self._nodes: list[onnx.NodeProto] = []
        self._inputs: list[onnx.ValueInfoProto] = []
        self.weights: dict[str, np.ndarray] = {}

    def input(self, name: str, *shape: int | str) -> str:
        self._inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape)))
        return name

    def weight(self, name: str, *shape: int) -> str:
        self.weights[name] = self._generator.standard_normal(shape).astype(np.float32)
        return name

    def constant(self, name: str, values: object, dtype: type = np.float32) -> str:
        self.weights[name] = np.asarray(values, dtype=dtype)
        return name

    def node(self, operator: str, inputs: list[str], *outputs: str, domain: str = "", **attributes: object) -> str:
        made = helper.make_node(operator, inputs, list(outputs), name=outputs[0], domain=domain, **attributes)
        self._nodes.append(made)
        return outputs[0]

    def conv(self, source: str, name: str, inputs: int, outputs: int, size: int = 3, **attributes: object) -> str:
        """Add a convolution with a bias; ``inputs`` counts channels per group."""
        weight = self.weight(f"{name}.weight", outputs, inputs, size, size)
        return self.node("Conv", [source, weight, self.weight(f"{name}.bias", outputs)], name, **attributes)

    def gemm(self, source: str, name: str, inputs: int, outputs: int) -> str:
        operands = [source, self.weight(f"{name}.weight", outputs, inputs), self.weight(f"{name}.bias", outputs)]
        return self.node("Gemm", operands, name, transB=1)

    def norm(self, source: str, name: str, channels: int) -> str:
        vectors = [self.weight(f"{name}.{part}", channels) for part in ("weight", "bias", "mean")]
        self.weights[f"{name}.var"] = np.abs(self._generator.standard_normal(channels).astype(np.float32)) + 0.5
        return self.node("BatchNormalization", [source, *vectors, f"{name}.var"], name)

    def model(self, *outputs: str, opset: int = 17) -> onnx.ModelProto:
        declared = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs]
        stored = [numpy_helper.from_array(value, name) for name, value in self.weights.items()]
        graph = helper.make_graph(self._nodes, "network", self._inputs, declared, stored)
        opsets = [helper.make_opsetid("", opset), helper.make_opsetid("custom", 1)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=9)
        inferred = onnx.shape_inference.infer_shapes(model, data_prop=True)
        del inferred.graph.value_info[:]
        return inferred

    def save(self, path: Path, *outputs: str, opset: int = 17) -> Path:
        onnx.save_model(self.model(*outputs, opset=opset), str(path))
        return path

    def kill_output(self, name: str, *channels: int) -> None:
        """Make output channels zero whatever the input: no weights, no bias."""
        self.weights[f"{name}.weight"][list(channels)] = 0
        self.weights[f"{name}.bias"][list(channels)] = 0

    def kill_input(self, name: str, *channels: int) -> None:
        """Make a layer ignore input channels."""
        self.weights[f"{name}.weight"][:, list(channels)] = 0
