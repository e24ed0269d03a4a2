"""The door for networks: an ONNX file, checked before TVM sees it."""

from __future__ import annotations

import contextlib
import hashlib
import io
from pathlib import Path
from types import TracebackType

import numpy as np
import onnx
import onnx.numpy_helper
import tvm
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from tvm.relax.frontend.onnx.onnx_frontend import _get_convert_map

from edgeprune.errors import UserError
from edgeprune.lowering.fold_batch_norm import fold_batch_norms
from edgeprune.lowering.importer import OnnxImporter
from edgeprune.lowering.model import ImportedModel, TensorSpec
from edgeprune.lowering.origins import name_variables
from edgeprune.lowering.own_operators import OWN_OPERATORS

_STANDARD_DOMAINS = ("", "ai.onnx")
# TVM would compute these between float32 kernels: slower than the float32 network, and where a value lies near the
# border of two steps the last bit of a sum decides, so that nothing agrees with ONNX Runtime to 1e-4.
_QUANTISING = frozenset(("QuantizeLinear", "DynamicQuantizeLinear", "MatMulInteger", "MatMulInteger16"))


def import_onnx(path: Path) -> ImportedModel:
    """Return the network in ``path`` as Relax with its weights as constants.

    Raises:
        UserError: the file is missing, corrupt or not valid ONNX; a shape is not static; an input or output is not
            float32; an operator is not supported or quantises (node and operator are named); a weight is NaN.
    """
    proto = _load(path)
    _reject_unsupported(path, proto.graph)
    _reject_quantised(path, proto.graph)
    _reject_nan(path, proto.graph)
    inferred = _infer_shapes(path, proto)
    weights = {tensor.name for tensor in inferred.graph.initializer}
    inputs = tuple(_spec(path, "input", value) for value in inferred.graph.input if value.name not in weights)
    outputs = tuple(_spec(path, "output", value) for value in inferred.graph.output)
    if not inputs:
        raise UserError(f"{path}: the network has no inputs")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    folded = fold_batch_norms(inferred)
    nodes = tuple(node.name or node.output[0] for node in folded.graph.node)
    return ImportedModel(path, _to_relax(path, folded), inputs, outputs, digest, nodes)


def _load(path: Path) -> onnx.ModelProto:
    try:
        proto = onnx.load(str(path))
        onnx.checker.check_model(proto)
    except FileNotFoundError as error:
        missing = error.filename or path
        raise UserError(f"{path}: no such file: {missing}") from None
    except IsADirectoryError:
        raise UserError(f"{path}: is a directory, an ONNX file is wanted") from None
    except DecodeError:
        raise UserError(f"{path}: not an ONNX file, or a damaged one") from None
    except (onnx.checker.ValidationError, ValueError, OSError) as error:
        raise UserError(f"{path}: not valid ONNX: {_first_line(error)}") from None
    return proto


def _infer_shapes(path: Path, proto: onnx.ModelProto) -> onnx.ModelProto:
    try:
        return onnx.shape_inference.infer_shapes(proto, check_type=True, strict_mode=True, data_prop=True)
    except onnx.shape_inference.InferenceError as error:
        raise UserError(f"{path}: shapes do not fit together: {_first_line(error)}") from None


def _reject_unsupported(path: Path, graph: onnx.GraphProto) -> None:
    known = {*_get_convert_map(), *OWN_OPERATORS}
    for node in graph.node:
        if node.domain not in _STANDARD_DOMAINS or node.op_type not in known:
            operator = f"{node.domain}.{node.op_type}" if node.domain else node.op_type
            raise UserError(f"{path}: node {node_name(node)}: operator {operator} is not supported")


def _reject_quantised(path: Path, graph: onnx.GraphProto) -> None:
    """Refuse intermediate values in integers; weights in integers become float32 while the network is lowered."""
    known = {tensor.name for tensor in graph.initializer}
    known |= {node.output[0] for node in graph.node if node.op_type == "Constant"}
    for node in graph.node:
        if node.op_type in _QUANTISING and node.input[0] not in known:
            raise UserError(
                f"{path}: node {node_name(node)}: operator {node.op_type} is not supported: the network is quantised; "
                f"give the float32 one it was made from"
            )


def _reject_nan(path: Path, graph: onnx.GraphProto) -> None:
    tensors = [(f"initializer {tensor.name}", tensor) for tensor in graph.initializer]
    for node in graph.node:
        if node.op_type == "Constant":
            held = [attribute.t for attribute in node.attribute if attribute.type == onnx.AttributeProto.TENSOR]
            tensors += [(f"node {node_name(node)}", tensor) for tensor in held]
    for what, tensor in tensors:
        values = onnx.numpy_helper.to_array(tensor)
        if np.issubdtype(values.dtype, np.floating) and np.isnan(values).any():
            position = tuple(int(index) for index in np.argwhere(np.isnan(values))[0])
            raise UserError(f"{path}: {what}: NaN at {position}; the training diverged")


def _spec(path: Path, role: str, value: onnx.ValueInfoProto) -> TensorSpec:
    tensor = value.type.tensor_type
    if tensor.elem_type != onnx.TensorProto.FLOAT:
        kind = onnx.TensorProto.DataType.Name(tensor.elem_type).lower()
        raise UserError(f"{path}: {role} {value.name}: dtype {kind} is not supported; float32 is wanted")
    if not tensor.HasField("shape"):
        raise UserError(f"{path}: {role} {value.name}: no static shape; export with fixed sizes")
    shape = []
    for index, dimension in enumerate(tensor.shape.dim):
        if not dimension.HasField("dim_value") or dimension.dim_value < 1:
            label = f" ({dimension.dim_param})" if dimension.dim_param else ""
            raise UserError(
                f"{path}: {role} {value.name}: dimension {index}{label} is not static; export with fixed sizes"
            )
        shape.append(dimension.dim_value)
    return TensorSpec(value.name, tuple(shape), "float32")


def _to_relax(path: Path, proto: onnx.ModelProto) -> tvm.IRModule:
    chatter = io.StringIO()
    importer = OnnxImporter()
    try:
        # The importer prints what it then raises.
        with contextlib.redirect_stdout(chatter):
            module = importer.from_onnx(proto.graph, _opset(proto))
    except Exception as error:
        # The importer raises bare exceptions of many kinds; all of them mean that it cannot read this node.
        node = _node_in_traceback(error.__traceback__)
        where = f"node {node_name(node)}: operator {node.op_type}" if node is not None else "graph"
        raise UserError(f"{path}: {where} is not supported in this form: {_first_line(error)}") from error
    return name_variables(module, proto.graph, importer.values)


def _opset(proto: onnx.ModelProto) -> int:
    return next(int(entry.version) for entry in proto.opset_import if entry.domain in _STANDARD_DOMAINS)


def _node_in_traceback(trace: TracebackType | None) -> onnx.NodeProto | None:
    found = None
    while trace is not None:
        candidate = trace.tb_frame.f_locals.get("node")
        if isinstance(candidate, onnx.NodeProto):
            found = candidate
        trace = trace.tb_next
    return found


def node_name(node: onnx.NodeProto) -> str:
    """Return what to call ``node`` in messages: its name, else its first output."""
    return node.name or f"with output {node.output[0]}"


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
