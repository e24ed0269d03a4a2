"""Running whole ONNX graphs and single nodes in ONNX Runtime."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import helper

from edgeprune.errors import StageFailure

Array = NDArray[Any]


def run_model(model: onnx.ModelProto, feeds: dict[str, Array], border: str) -> dict[str, Array]:
    """Return every output of ``model`` by name, computed as written (no optimisation) on one thread.

    Raises:
        StageFailure: ONNX Runtime refuses the model; the message begins with ``border``.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    names = [value.name for value in model.graph.output]
    try:
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        return dict(zip(names, session.run(names, feeds), strict=True))
    except Exception as error:  # ONNX Runtime raises a dozen classes without a common base of its own
        raise StageFailure(f"{border}: ONNX Runtime: {str(error).splitlines()[0]}") from error


def run_node(node: onnx.NodeProto, operands: list[Array | None], opset: int) -> list[Array]:
    """Return the outputs of one node on the given operands (``None`` where an optional one is left out).

    Raises:
        StageFailure: ONNX Runtime refuses the node.
    """
    alone = onnx.NodeProto()
    alone.CopyFrom(node)
    names = [f"operand{place}" if value is not None else "" for place, value in enumerate(operands)]
    del alone.input[:]
    alone.input.extend(names)
    feeds = {name: value for name, value in zip(names, operands, strict=True) if value is not None}
    inputs = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape)
        for name, value in feeds.items()
    ]
    outputs = [onnx.ValueInfoProto(name=name) for name in alone.output if name]
    graph = helper.make_graph([alone], "node", inputs, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    found = run_model(model, feeds, f"node {node.name or node.output[0]}")
    return [found[name] for name in alone.output if name]


def seeded_inputs(inputs: list[onnx.ValueInfoProto], seed: int) -> dict[str, Array]:
    """Return normal numbers for each input, and zeros and ones where the type is not floating."""
    generator = np.random.default_rng(seed)
    made: dict[str, Array] = {}
    for value in inputs:
        tensor = value.type.tensor_type
        shape = [dimension.dim_value for dimension in tensor.shape.dim]
        dtype = helper.tensor_dtype_to_np_dtype(tensor.elem_type)
        floating = np.issubdtype(dtype, np.floating)
        drawn = generator.standard_normal(shape) if floating else generator.integers(0, 2, shape)
        made[value.name] = np.asarray(drawn).astype(dtype)
    return made
