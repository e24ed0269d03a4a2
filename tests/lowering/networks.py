"""Small random ONNX networks, made without torch: one per family of operators."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


class Graph:
    """Collects nodes and weights; `weight` draws from a seeded generator."""

    def __init__(self, seed: int = 0) -> None:
        self._generator = np.random.default_rng(seed)
        self._nodes: list[onnx.NodeProto] = []
        self._weights: list[onnx.TensorProto] = []
        self._inputs: list[onnx.ValueInfoProto] = []
        self._count = 0

    def input(self, *shape: int | str, name: str = "", kind: int = TensorProto.FLOAT) -> str:
        name = name or f"input{len(self._inputs)}"
        self._inputs.append(helper.make_tensor_value_info(name, kind, list(shape)))
        return name

    def weight(self, *shape: int, scale: float = 0.3) -> str:
        return self.constant((self._generator.standard_normal(shape) * scale).astype(np.float32))

    def constant(self, values: np.ndarray) -> str:
        self._count += 1
        name = f"w{self._count}"
        self._weights.append(numpy_helper.from_array(values, name))
        return name

    def integers(self, *values: int) -> str:
        return self.constant(np.array(values, dtype=np.int64))

    def node(self, operator: str, *inputs: str, outputs: int = 1, domain: str = "", **attributes: object) -> str:
        return self.nodes(operator, *inputs, outputs=outputs, domain=domain, **attributes)[0]

    def nodes(self, operator: str, *inputs: str, outputs: int = 1, domain: str = "", **attributes: object) -> list[str]:
        self._count += 1
        names = [f"{operator.lower()}{self._count}_{index}" for index in range(outputs)]
        node = helper.make_node(
            operator, list(inputs), names, name=f"{operator.lower()}_{self._count}", domain=domain, **attributes
        )
        self._nodes.append(node)
        return names

    def save(self, path: Path, *outputs: str, opset: int = 17, shapes: Sequence[Sequence[int]] | None = None) -> Path:
        declared = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, shapes[index] if shapes else None)
            for index, name in enumerate(outputs)
        ]
        graph = helper.make_graph(self._nodes, "network", self._inputs, declared, self._weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
        if shapes is None:
            inferred = onnx.shape_inference.infer_shapes(model, data_prop=True)
            for value, found in zip(model.graph.output, inferred.graph.output, strict=True):
                value.CopyFrom(found)
        path.write_bytes(model.SerializeToString())
        return path


def conv(graph: Graph, data: str, inputs: int, outputs: int, size: int = 3, **attributes: object) -> str:
    group = int(str(attributes.get("group", 1)))
    weight = graph.weight(outputs, inputs // group, size, size)
    return graph.node("Conv", data, weight, graph.weight(outputs), **attributes)


def lenet5(path: Path, *, first: int = 20, second: int = 50, hidden: int = 500) -> Path:
    """LeNet-5 in Caffe's variant, with the given numbers of channels and neurons."""
    graph = Graph(seed=5)
    data = graph.input(1, 1, 28, 28, name="image")
    data = graph.node("MaxPool", conv(graph, data, 1, first, 5), kernel_shape=[2, 2], strides=[2, 2])
    data = graph.node("MaxPool", conv(graph, data, first, second, 5), kernel_shape=[2, 2], strides=[2, 2])
    data = graph.node("Flatten", data)
    data = graph.node("Gemm", data, graph.weight(hidden, second * 16, scale=0.05), graph.weight(hidden), transB=1)
    data = graph.node("Relu", data)
    data = graph.node("Gemm", data, graph.weight(10, hidden, scale=0.1), graph.weight(10), transB=1)
    return graph.save(path, data)


def _convolutions(graph: Graph) -> list[str]:
    data = graph.input(1, 3, 11, 9)
    data = graph.node("Relu", conv(graph, data, 3, 16, pads=[1, 1, 1, 1]))
    data = graph.node("Relu", conv(graph, data, 16, 13, strides=[2, 2], pads=[1, 1, 1, 1]))
    data = conv(graph, data, 13, 24, 1)
    return [conv(graph, data, 24, 7, dilations=[2, 2], pads=[2, 2, 2, 2])]


def _asymmetric(graph: Graph) -> list[str]:
    data = graph.input(1, 4, 12, 10)
    data = conv(graph, data, 4, 8, pads=[0, 1, 1, 0], strides=[2, 1])
    weight = graph.weight(6, 8, 1, 5)
    return [graph.node("Conv", data, weight, auto_pad="SAME_UPPER")]


def _depthwise(graph: Graph) -> list[str]:
    data = graph.input(1, 8, 10, 10)
    data = graph.node("Clip", conv(graph, data, 8, 8, pads=[1, 1, 1, 1], group=8), *_bounds(graph, 0.0, 6.0))
    data = graph.node("Relu", conv(graph, data, 8, 21, 1))
    data = conv(graph, data, 21, 21, pads=[1, 1, 1, 1], group=21, strides=[2, 2])
    return [conv(graph, data, 21, 42, group=21, pads=[1, 1, 1, 1])]


def _grouped(graph: Graph) -> list[str]:
    data = conv(graph, graph.input(1, 12, 7, 7), 12, 16, pads=[1, 1, 1, 1], group=4)
    return [conv(graph, data, 16, 10, group=2)]


def _batch_norm(graph: Graph) -> list[str]:
    data = conv(graph, graph.input(1, 3, 8, 8), 3, 10)
    variance = graph.constant(np.linspace(0.5, 2.0, 10, dtype=np.float32))
    data = graph.node("BatchNormalization", data, graph.weight(10), graph.weight(10), graph.weight(10), variance)
    return [graph.node("Relu", data)]


def _pools(graph: Graph) -> list[str]:
    data = conv(graph, graph.input(1, 3, 13, 13), 3, 6)
    highest = graph.node("MaxPool", data, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    mean = graph.node("AveragePool", data, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    counted = graph.node(
        "AveragePool", data, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1], count_include_pad=1
    )
    both = graph.node("Add", graph.node("Add", highest, mean), counted)
    whole = graph.node("GlobalAveragePool", both)
    return [graph.node("Flatten", graph.node("Add", whole, graph.node("GlobalMaxPool", both)))]


def _dense(graph: Graph) -> list[str]:
    data = graph.input(1, 30)
    data = graph.node("Relu", graph.node("Gemm", data, graph.weight(17, 30), graph.weight(17), transB=1, alpha=0.5))
    data = graph.node("Add", graph.node("MatMul", data, graph.weight(17, 24)), graph.weight(24))
    data = graph.node("Sigmoid", data)
    return [graph.node("Softmax", graph.node("Gemm", data, graph.weight(24, 10)), axis=1)]


def _residual(graph: Graph) -> list[str]:
    data = conv(graph, graph.input(1, 3, 8, 8), 3, 8, pads=[1, 1, 1, 1])
    inner = graph.node("Relu", conv(graph, data, 8, 8, pads=[1, 1, 1, 1]))
    data = graph.node("Relu", graph.node("Add", conv(graph, inner, 8, 8, pads=[1, 1, 1, 1]), data))
    joined = graph.node("Concat", data, conv(graph, data, 8, 5, 1), axis=1)
    left, right = graph.nodes("Split", joined, graph.integers(6, 7), outputs=2, axis=1)
    return [graph.node("Concat", right, left, axis=1)]


def _activations(graph: Graph) -> list[str]:
    data = conv(graph, graph.input(1, 3, 6, 6), 3, 8)
    data = graph.node("HardSwish", data)
    data = graph.node("HardSigmoid", conv(graph, data, 8, 8, 1), alpha=1 / 6, beta=0.5)
    data = graph.node("LeakyRelu", conv(graph, data, 8, 8, 1), alpha=0.1)
    data = graph.node("PRelu", conv(graph, data, 8, 8, 1), graph.weight(8, 1, 1))
    data = graph.node("Tanh", conv(graph, data, 8, 8, 1))
    data = conv(graph, data, 8, 8, 1)
    return [graph.node("Mul", data, graph.node("Sigmoid", data))]


def _squeeze_excite(graph: Graph) -> list[str]:
    data = conv(graph, graph.input(1, 3, 8, 8), 3, 12)
    scale = graph.node("Relu", conv(graph, graph.node("GlobalAveragePool", data), 12, 3, 1))
    return [graph.node("Mul", data, graph.node("Sigmoid", conv(graph, scale, 3, 12, 1)))]


def _shapes(graph: Graph) -> list[str]:
    data = graph.input(1, 4, 6, 6)
    data = graph.node("Pad", data, graph.integers(0, 0, 1, 2, 0, 0, 2, 1), graph.constant(np.float32(0.5)))
    data = conv(graph, data, 4, 6)
    data = graph.node("Transpose", data, perm=[0, 2, 3, 1])
    data = graph.node("Reshape", data, graph.integers(1, -1, 6))
    data = graph.node("ReduceMean", data, axes=[1], keepdims=0)
    data = graph.node("Squeeze", graph.node("Unsqueeze", data, graph.integers(2)), graph.integers(2))
    return [graph.node("Slice", data, graph.integers(1), graph.integers(5), graph.integers(1))]


def _resize(graph: Graph) -> list[str]:
    data = conv(graph, graph.input(1, 3, 6, 6), 3, 4)
    empty, scales = "", graph.constant(np.array([1, 1, 2, 2], dtype=np.float32))
    nearest = graph.node(
        "Resize", data, empty, scales, mode="nearest", coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )  # fmt: skip
    linear = graph.node("Resize", data, empty, scales, mode="linear", coordinate_transformation_mode="half_pixel")
    return [graph.node("Add", nearest, linear)]


def _transposed(graph: Graph) -> list[str]:
    data = conv(graph, graph.input(1, 3, 5, 5), 3, 6)
    return [graph.node("ConvTranspose", data, graph.weight(6, 4, 2, 2), graph.weight(4), strides=[2, 2])]


def _attention(graph: Graph) -> list[str]:
    data = graph.input(1, 9, 16)
    ones, zeros = graph.constant(np.ones(16, np.float32)), graph.constant(np.zeros(16, np.float32))
    normal = graph.node("LayerNormalization", data, ones, zeros, axis=-1, epsilon=1e-5)
    heads = []
    for _ in range(3):
        head = graph.node("Add", graph.node("MatMul", normal, graph.weight(16, 16)), graph.weight(16))
        head = graph.node("Reshape", head, graph.integers(1, 9, 2, 8))
        heads.append(graph.node("Transpose", head, perm=[0, 2, 1, 3]))
    query, key, value = heads
    scores = graph.node("MatMul", query, graph.node("Transpose", key, perm=[0, 1, 3, 2]))
    scores = graph.node("Softmax", graph.node("Mul", scores, graph.constant(np.float32(0.35))), axis=-1)
    mixed = graph.node("Transpose", graph.node("MatMul", scores, value), perm=[0, 2, 1, 3])
    mixed = graph.node("Reshape", mixed, graph.integers(1, 9, 16))
    mixed = graph.node("MatMul", mixed, graph.weight(16, 16))
    half = graph.node("Mul", mixed, graph.constant(np.float32(0.5)))
    inner = graph.node("Div", mixed, graph.constant(np.float32(np.sqrt(2))))
    one = graph.constant(np.float32(1))
    gelu = graph.node("Mul", half, graph.node("Add", graph.node("Erf", inner), one))
    return [graph.node("Add", data, gelu)]


def _several(graph: Graph) -> list[str]:
    first, second = graph.input(1, 3, 6, 6), graph.input(1, 10)
    features = graph.node("Flatten", graph.node("GlobalAveragePool", conv(graph, first, 3, 10)))
    joined = graph.node("Add", features, second)
    return [joined, graph.node("Relu", graph.node("MatMul", joined, graph.weight(10, 4)))]


def _aliases(graph: Graph) -> list[str]:
    """Outputs that are an input, a reshape of another output, and the same value twice."""
    data = graph.input(2, 6)
    doubled = graph.node("Add", data, data)
    return [graph.node("Identity", data), doubled, graph.node("Reshape", doubled, graph.integers(3, 4))]


def _more_activations(graph: Graph) -> list[str]:
    data = conv(graph, graph.input(1, 3, 6, 6), 3, 8)
    for operator in ("Gelu", "Elu", "Softplus", "Mish", "Selu", "Softsign"):
        data = conv(graph, graph.node(operator, data), 8, 8, 1)
    return [graph.node("Gelu", data, approximate="tanh")]


def _more_norms(graph: Graph) -> list[str]:
    data = conv(graph, graph.input(1, 3, 6, 6), 3, 8)
    data = graph.node("InstanceNormalization", data, graph.weight(8), graph.weight(8))
    data = conv(graph, data, 8, 8, 1)
    norm = graph.node("Add", graph.node("ReduceL2", data, graph.integers(1)), graph.constant(np.float32(1)))
    return [graph.node("Div", data, graph.node("Expand", norm, graph.integers(1, 8, 4, 4)))]


def _indexing(graph: Graph) -> list[str]:
    data = conv(graph, graph.input(1, 3, 6, 6), 3, 8)
    data = graph.node("DepthToSpace", data, blocksize=2)
    data = graph.node("SpaceToDepth", graph.node("Sub", data, graph.weight(1, 2, 1, 1)), blocksize=2)
    data = graph.node("Slice", data, graph.integers(0), graph.integers(4), graph.integers(2), graph.integers(2))
    data = graph.node("Gather", data, graph.integers(5, 0, 5, 2), axis=1)
    picked = graph.node("GatherND", data, graph.constant(np.array([[0, 1, 0], [0, 3, 1]], dtype=np.int64)))
    return [graph.node("ReduceSum", picked, graph.integers(1)), graph.node("Tile", picked, graph.integers(2, 1))]


def _arithmetic(graph: Graph) -> list[str]:
    data = graph.node("Sigmoid", conv(graph, graph.input(1, 3, 5, 5), 3, 8))
    root = graph.node("Sqrt", graph.node("Pow", data, graph.constant(np.float32(3))))
    rest = graph.node("Reciprocal", graph.node("Exp", graph.node("Neg", graph.node("Abs", root))))
    most = graph.node("ReduceMax", rest, graph.integers(2, 3))
    large = graph.node("Greater", rest, graph.constant(np.float32(1.5)))
    return [graph.node("Where", large, most, graph.node("Log", rest)), graph.node("Flatten", most)]


def _own_operators(graph: Graph) -> list[str]:
    data = conv(graph, graph.input(1, 3, 6, 6), 3, 8)
    data = conv(graph, graph.node("Celu", data, alpha=0.7), 8, 8, 1)
    data = conv(graph, graph.node("Celu", data), 8, 8, 1)
    data = conv(graph, graph.node("Swish", data, alpha=1.3), 8, 8, 1)
    data = conv(graph, graph.node("LpNormalization", data, axis=1), 8, 8, 1)
    flat = graph.node("Celu", graph.node("Flatten", data))
    # Sums of a few values of both signs may be tiny, and divide what half precision has rounded.
    positive = graph.node("Sigmoid", data)
    return [graph.node("LpNormalization", positive, p=1), graph.node("LpNormalization", flat, p=2, axis=-1)]


def _bounds(graph: Graph, low: float, high: float) -> tuple[str, str]:
    return graph.constant(np.float32(low)), graph.constant(np.float32(high))


_FAMILIES: dict[str, Callable[[Graph], list[str]]] = {
    "convolutions": _convolutions,
    "asymmetric padding": _asymmetric,
    "depthwise": _depthwise,
    "grouped": _grouped,
    "batch norm": _batch_norm,
    "pools": _pools,
    "dense": _dense,
    "residual": _residual,
    "activations": _activations,
    "squeeze-excite": _squeeze_excite,
    "shapes": _shapes,
    "resize": _resize,
    "transposed convolution": _transposed,
    "attention": _attention,
    "several inputs and outputs": _several,
    "aliases": _aliases,
    "more activations": _more_activations,
    "more norms": _more_norms,
    "indexing": _indexing,
    "arithmetic": _arithmetic,
    "own operators": _own_operators,
}
# Where the default lacks an operator.
_OPSETS = {"more activations": 20, "more norms": 18, "indexing": 18, "arithmetic": 18, "own operators": 24}
FAMILIES = tuple(_FAMILIES)


def make(family: str, path: Path, *, seed: int = 0) -> Path:
    """Write the network called ``family`` to ``path``."""
    graph = Graph(seed)
    return graph.save(path, *_FAMILIES[family](graph), opset=_OPSETS.get(family, 17))
