from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgeprune.lowering import Lowered, lower
from edgeprune.target import Target, find_target


@pytest.fixture(scope="session")
def host() -> Target:
    return find_target("host")


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory, host: Target) -> Lowered:
    """A 3x3 convolution, 4 -> 8 channels on 6x6 pixels, with ReLU: one kernel that matters and layout copies."""
    generator = np.random.default_rng(7)
    weight = numpy_helper.from_array(generator.normal(size=(8, 4, 3, 3)).astype(np.float32), "weight")
    bias = numpy_helper.from_array(generator.normal(size=(8,)).astype(np.float32), "bias")
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["x", "weight", "bias"], ["sums"], name="conv"),
            helper.make_node("Relu", ["sums"], ["y"], name="relu"),
        ],
        "tiny",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4, 6, 6])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 8, 4, 4])],
        [weight, bias],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    path: Path = tmp_path_factory.mktemp("onnx") / "tiny.onnx"
    onnx.save(model, path)
    return lower(path, host)
