"""Strided slices written as poolings: the same outputs, and other slices left alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper
from peers.strided_slices import write_with_pooling

END = 2**63 - 1


def network(path: Path, start: int, end: int, axis: int, step: int) -> Path:
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2, 5, 6])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    given = {"starts": start, "ends": end, "axes": axis, "steps": step}
    constants = [helper.make_tensor(name, TensorProto.INT64, [1], [value]) for name, value in given.items()]
    graph = helper.make_graph([helper.make_node("Slice", ["x", *given], ["y"])], "network", [x], [y], constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10), path)
    return path


def output(path: Path) -> np.ndarray:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    x = np.random.default_rng(0).standard_normal((1, 2, 5, 6)).astype(np.float32)
    return np.asarray(session.run(None, {"x": x})[0])


@pytest.mark.parametrize(("axis", "step"), [(2, 2), (3, 2), (3, 4)])
def test_every_nth_pixel_is_a_pooling(axis: int, step: int, tmp_path: Path) -> None:
    before = network(tmp_path / "a.onnx", 0, END, axis, step)
    assert write_with_pooling(before, tmp_path / "b.onnx") == 1
    assert [node.op_type for node in onnx.load(tmp_path / "b.onnx").graph.node] == ["MaxPool"]
    np.testing.assert_array_equal(output(tmp_path / "b.onnx"), output(before))


@pytest.mark.parametrize(
    ("start", "end", "axis", "step"), [(1, END, 2, 2), (0, 4, 2, 2), (0, END, 1, 2), (0, END, 2, 1)]
)
def test_other_slices_stay(start: int, end: int, axis: int, step: int, tmp_path: Path) -> None:
    before = network(tmp_path / "a.onnx", start, end, axis, step)
    assert write_with_pooling(before, tmp_path / "b.onnx") == 0
    np.testing.assert_array_equal(output(tmp_path / "b.onnx"), output(before))
