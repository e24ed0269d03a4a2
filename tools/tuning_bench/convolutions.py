"""Networks of convolutions alone: one of them, or many with as many channel counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

_OPSET, _IR = 17, 10


@dataclass(frozen=True)
class Convolution:
    """A convolution of stride 1 that keeps the image's size, with bias and rectifier, on ``size`` x ``size`` pixels."""

    name: str
    inputs: int
    outputs: int
    size: int
    kernel: int = 3
    depthwise: bool = False

    @property
    def stem(self) -> str:
        """Return a name for files."""
        kind = "depthwise" if self.depthwise else "conv"
        return f"{kind}{self.kernel}x{self.kernel}-{self.inputs}-{self.outputs}-{self.size}"

    @property
    def multiply_adds(self) -> int:
        """Return the multiply-adds of one image."""
        per_output = self.kernel**2 * (1 if self.depthwise else self.inputs)
        return self.size**2 * self.outputs * per_output

    @property
    def there_and_back(self) -> tuple[Convolution, ...]:
        """Return it, followed by what leads back to its input's channels where it changes them."""
        if self.inputs == self.outputs:
            return (self,)
        return (self, replace(self, name=f"{self.name}, back", inputs=self.outputs, outputs=self.inputs))

    def write(self, path: Path) -> None:
        """Write it as a network of its own, with seeded weights and a batch of 1."""
        write_convolutions([self], path)


def write_convolutions(convolutions: Sequence[Convolution], path: Path) -> None:
    """Write a network that computes each of them from an input of its own: inputs and outputs in the order given."""
    nodes, weights, inputs, outputs = [], [], [], []
    for index, convolution in enumerate(convolutions):
        source, sink = f"x{index}", f"y{index}"
        inputs.append(_tensor(source, convolution.inputs, convolution.size))
        outputs.append(_tensor(sink, convolution.outputs, convolution.size))
        weights += _weights(convolution, index)
        nodes += _nodes(convolution, index, source, sink)
    graph = helper.make_graph(nodes, "convolutions", inputs, outputs, weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR), path)


def write_chain(convolutions: Sequence[Convolution], path: Path) -> None:
    """Write a network that computes one of them after the other."""
    nodes, weights = [], []
    for index, convolution in enumerate(convolutions):
        weights += _weights(convolution, index)
        nodes += _nodes(convolution, index, f"x{index}", f"x{index + 1}")
    first, last = convolutions[0], convolutions[-1]
    source, sink = _tensor("x0", first.inputs, first.size), _tensor(f"x{len(nodes) // 2}", last.outputs, last.size)
    graph = helper.make_graph(nodes, "chain", [source], [sink], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR), path)


def _tensor(name: str, channels: int, size: int) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, channels, size, size])


def _weights(convolution: Convolution, index: int) -> list[onnx.TensorProto]:
    generator = np.random.default_rng(index)
    per_group = 1 if convolution.depthwise else convolution.inputs
    shape = (convolution.outputs, per_group, convolution.kernel, convolution.kernel)
    spread = 1 / np.sqrt(per_group * convolution.kernel**2)
    weight = (generator.standard_normal(shape) * spread).astype(np.float32)
    bias = generator.standard_normal(convolution.outputs).astype(np.float32)
    return [numpy_helper.from_array(weight, f"w{index}"), numpy_helper.from_array(bias, f"b{index}")]


def _nodes(convolution: Convolution, index: int, source: str, sink: str) -> list[onnx.NodeProto]:
    border = convolution.kernel // 2
    convolved = f"c{index}"
    node = helper.make_node(
        "Conv",
        [source, f"w{index}", f"b{index}"],
        [convolved],
        name=f"conv{index}",
        kernel_shape=[convolution.kernel] * 2,
        pads=[border] * 4,
        group=convolution.inputs if convolution.depthwise else 1,
    )
    return [node, helper.make_node("Relu", [convolved], [sink], name=f"relu{index}")]
