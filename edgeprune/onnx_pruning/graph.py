"""An ONNX file as a graph with constants and static shapes, or a reason why it cannot be one."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import helper, numpy_helper

from edgeprune.errors import StageFailure, UserError
from edgeprune.onnx_pruning.runtime import Array, run_node

_STANDARD_DOMAINS = ("", "ai.onnx")
_NOT_FOLDED = ("DequantizeLinear", "RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike")
_OLDEST = 4
"""Before this version of the format every initializer had to be listed as an input too."""


@dataclass
class Graph:
    """A graph whose ``nodes`` are in topological order and all reach an output.

    ``constants`` holds initializers and whatever follows from constants and shapes alone; ``shapes`` the static shape
    of every tensor.
    """

    path: str
    model: onnx.ModelProto
    nodes: list[onnx.NodeProto]
    constants: dict[str, Array]
    shapes: dict[str, tuple[int, ...]]

    @property
    def opset(self) -> int:
        """Return the version of the standard operators."""
        return next((int(e.version) for e in self.model.opset_import if e.domain in _STANDARD_DOMAINS), 1)

    @property
    def inputs(self) -> list[onnx.ValueInfoProto]:
        """Return what a caller must give."""
        return list(self.model.graph.input)

    @property
    def outputs(self) -> list[onnx.ValueInfoProto]:
        """Return what a caller gets."""
        return list(self.model.graph.output)

    def users(self) -> Counter[str]:
        """Return how often each tensor is read, by nodes (also inside their subgraphs) and as an output."""
        read = Counter(value.name for value in self.outputs)
        for node in self.nodes:
            read.update(names_read(node))
        return read


def load_graph(path: Path) -> Graph:
    """Return the network in ``path``.

    Raises:
        UserError: the file is missing, corrupt or not valid ONNX, or a shape is not static.
    """
    return make_graph(_load(path), str(path))


def make_graph(model: onnx.ModelProto, path: str) -> Graph:
    """Return ``model`` (which stays as it is) with constants folded and every shape known; ``path`` is for messages.

    Raises:
        UserError: shapes do not fit together, or one is not static.
    """
    stored = {tensor.name for tensor in model.graph.initializer}
    inferred = _infer(model, path)
    named = list(inferred.graph.value_info)
    del inferred.graph.value_info[:]
    given = [value for value in inferred.graph.input if value.name not in stored]
    for value in given:
        _static_shape(value, "input", path)
    del inferred.graph.input[:]
    inferred.graph.input.extend(given)
    inferred.ir_version = max(inferred.ir_version, _OLDEST)
    known = {value.name: value for value in (*named, *given, *inferred.graph.output)}
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in inferred.graph.initializer}
    graph = Graph(path, inferred, [], constants, {})
    for value in known.values():
        shape = _shape_if_static(value)
        if shape is not None:
            graph.shapes[value.name] = shape
    _fold_constants(graph)
    _drop_unread(graph)
    _complete(graph)
    return graph


def to_model(graph: Graph) -> onnx.ModelProto:
    """Return the graph as a model with shapes inferred anew.

    Raises:
        StageFailure: the graph does not pass ONNX's checker.
    """
    model = onnx.ModelProto()
    model.CopyFrom(graph.model)
    del model.graph.node[:], model.graph.initializer[:], model.graph.value_info[:]
    model.graph.node.extend(graph.nodes)
    read = graph.users()
    for name, value in graph.constants.items():
        if read[name]:
            model.graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
    try:
        model = onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError, ValueError) as error:
        raise StageFailure(f"{graph.path}: the smaller network is not valid ONNX: {_first_line(error)}") from error
    return model


def node_name(node: onnx.NodeProto) -> str:
    """Return what to call ``node`` in messages: its name, else its first output."""
    return node.name or f"with output {node.output[0]}"


def names_read(node: onnx.NodeProto) -> list[str]:
    """Return the names of the tensors that ``node`` reads, those its subgraphs read included."""
    names = [name for name in node.input if name]
    for attribute in node.attribute:
        for subgraph in (attribute.g, *attribute.graphs):
            for inner in subgraph.node:
                names += names_read(inner)
            names += [value.name for value in subgraph.output]
    return names


def _load(path: Path) -> onnx.ModelProto:
    try:
        model = onnx.load(str(path))
        onnx.checker.check_model(model)
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file: {error.filename or path}") from None
    except IsADirectoryError:
        raise UserError(f"{path}: is a directory, an ONNX file is wanted") from None
    except DecodeError:
        raise UserError(f"{path}: not an ONNX file, or a damaged one") from None
    except (onnx.checker.ValidationError, ValueError, OSError) as error:
        raise UserError(f"{path}: not valid ONNX: {_first_line(error)}") from None
    if not model.graph.output:
        raise UserError(f"{path}: the network has no outputs")
    if model.graph.sparse_initializer:
        name = model.graph.sparse_initializer[0].values.name
        raise UserError(f"{path}: initializer {name}: stored sparse, which is not supported; store it dense")
    return model


def _infer(model: onnx.ModelProto, path: str) -> onnx.ModelProto:
    try:
        return onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
    except onnx.shape_inference.InferenceError as error:
        raise UserError(f"{path}: shapes do not fit together: {_first_line(error)}") from None


def _shape_if_static(value: onnx.ValueInfoProto) -> tuple[int, ...] | None:
    tensor = value.type.tensor_type
    if not tensor.HasField("shape") or not all(d.HasField("dim_value") for d in tensor.shape.dim):
        return None
    return tuple(dimension.dim_value for dimension in tensor.shape.dim)


def _static_shape(value: onnx.ValueInfoProto, role: str, path: str) -> tuple[int, ...]:
    tensor = value.type.tensor_type
    if not tensor.HasField("shape"):
        raise UserError(f"{path}: {role} {value.name}: no static shape; export with fixed sizes")
    for index, dimension in enumerate(tensor.shape.dim):
        if not dimension.HasField("dim_value") or dimension.dim_value < 1:
            label = f" ({dimension.dim_param})" if dimension.dim_param else ""
            raise UserError(
                f"{path}: {role} {value.name}: dimension {index}{label} is not static; export with fixed sizes"
            )
    return tuple(dimension.dim_value for dimension in tensor.shape.dim)


def _fold_constants(graph: Graph) -> None:
    """Compute what depends on constants and static shapes only, in the order of the file."""
    for node in graph.model.graph.node:
        names = names_read(node)
        if node.domain not in _STANDARD_DOMAINS or node.op_type in _NOT_FOLDED:
            graph.nodes.append(node)
        elif node.op_type == "Shape" and node.input[0] in graph.shapes:
            bounds = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
            shape = graph.shapes[node.input[0]][bounds.get("start", 0) : bounds.get("end")]
            graph.constants[node.output[0]] = np.asarray(shape, dtype=np.int64)
        elif all(name in graph.constants for name in names) and (names or node.op_type == "Constant"):
            operands = [graph.constants[name] if name else None for name in node.input]
            values = run_node(node, operands, graph.opset)
            graph.constants.update(zip([name for name in node.output if name], values, strict=True))
        else:
            graph.nodes.append(node)


def _drop_unread(graph: Graph) -> None:
    needed = {value.name for value in graph.outputs}
    kept = []
    for node in reversed(graph.nodes):
        if needed.intersection(node.output):
            kept.append(node)
            needed.update(names_read(node))
    graph.nodes = kept[::-1]
    graph.constants = {name: value for name, value in graph.constants.items() if name in needed}


def _complete(graph: Graph) -> None:
    """Find the shapes that only constants could tell, and make sure that all are static."""
    graph.shapes.update({name: value.shape for name, value in graph.constants.items()})
    for value in graph.outputs:
        _static_shape(value, "output", graph.path)
    named = [name for node in graph.nodes for name in node.output if name]
    if all(name in graph.shapes for name in named):
        return
    for value in _infer(to_model(graph), graph.path).graph.value_info:
        graph.shapes.setdefault(value.name, _static_shape(value, "tensor", graph.path))
    missing = next((name for name in named if name not in graph.shapes), None)
    if missing is not None:
        raise UserError(f"{graph.path}: tensor {missing}: its shape cannot be told; export with fixed sizes")


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
