"""What a user can get wrong with an ONNX file, and the message each mistake gives."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, numpy_helper

from edgeprune.errors import UserError
from edgeprune.lowering import import_onnx, lower
from edgeprune.target import find_target
from tests.lowering.networks import Graph, conv, make


def refused(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        import_onnx(path)
    return str(caught.value).replace(str(path), "PATH")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "absent.onnx"
    assert refused(path) == "PATH: no such file: PATH"


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    assert refused(tmp_path) == "PATH: is a directory, an ONNX file is wanted"


def test_a_text_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.onnx"
    path.write_text("this is not a network\n")
    assert refused(path) == "PATH: not an ONNX file, or a damaged one"


def test_a_file_cut_short_is_refused(tmp_path: Path) -> None:
    path = make("dense", tmp_path / "network.onnx")
    path.write_bytes(path.read_bytes()[:-100])
    assert refused(path) == "PATH: not an ONNX file, or a damaged one"


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "empty.onnx"
    path.write_bytes(b"")
    assert refused(path).startswith("PATH: not valid ONNX: ")


def test_a_dynamic_input_names_input_and_dimension(tmp_path: Path) -> None:
    graph = Graph()
    data = graph.input("batch", 3, 8, 8, name="image")
    path = graph.save(tmp_path / "network.onnx", conv(graph, data, 3, 4))
    assert refused(path) == "PATH: input image: dimension 0 (batch) is not static; export with fixed sizes"


def test_an_unsupported_operator_names_node_and_operator(tmp_path: Path) -> None:
    graph = Graph()
    node = graph.node("Det", graph.input(3, 3))
    path = graph.save(tmp_path / "network.onnx", node, shapes=[[]])
    assert refused(path) == "PATH: node det_1: operator Det is not supported"


def test_a_quantised_network_names_the_first_node_that_quantises(tmp_path: Path) -> None:
    graph = Graph()
    scale, zero = graph.constant(np.float32(0.1)), graph.constant(np.int8(0))
    node = graph.node("QuantizeLinear", graph.node("Relu", graph.input(3, 3)), scale, zero)
    path = graph.save(tmp_path / "network.onnx", graph.node("DequantizeLinear", node, scale, zero))
    assert refused(path) == (
        "PATH: node quantizelinear_4: operator QuantizeLinear is not supported: the network is quantised; "
        "give the float32 one it was made from"
    )


def test_an_operator_of_another_domain_is_unsupported(tmp_path: Path) -> None:
    graph = Graph()
    node = graph.node("Relu", graph.input(3, 3), domain="com.example")
    path = graph.save(tmp_path / "network.onnx", node, shapes=[[3, 3]])
    model = onnx.load(path)
    model.opset_import.append(onnx.helper.make_opsetid("com.example", 1))
    path.write_bytes(model.SerializeToString())
    assert refused(path) == "PATH: node relu_1: operator com.example.Relu is not supported"


def test_a_form_the_importer_cannot_read_names_its_node(tmp_path: Path) -> None:
    graph = Graph()
    data = graph.input(1, 4, 6)
    values, _ = graph.nodes("TopK", data, graph.integers(2), outputs=2, sorted=0)
    path = graph.save(tmp_path / "network.onnx", values)
    assert re.match(r"PATH: node topk_2: operator TopK is not supported in this form: ", refused(path))


def test_a_nan_weight_names_the_initializer(tmp_path: Path) -> None:
    graph = Graph()
    weight = np.ones((4, 2), dtype=np.float32)
    weight[2, 1] = np.nan
    name = graph.constant(weight)
    path = graph.save(tmp_path / "network.onnx", graph.node("MatMul", graph.input(1, 4), name))
    assert refused(path) == f"PATH: initializer {name}: NaN at (2, 1); the training diverged"


def test_a_nan_in_a_constant_node_names_the_node(tmp_path: Path) -> None:
    graph = Graph()
    values = numpy_helper.from_array(np.array([[1.0, 2.0], [np.nan, 4.0]], dtype=np.float32))
    weight = graph.node("Constant", value=values)
    path = graph.save(tmp_path / "network.onnx", graph.node("MatMul", graph.input(1, 2), weight))
    assert refused(path) == "PATH: node constant_1: NaN at (1, 0); the training diverged"


def test_an_integer_input_is_refused(tmp_path: Path) -> None:
    graph = Graph()
    data = graph.input(1, 4, name="tokens", kind=TensorProto.INT64)
    path = graph.save(tmp_path / "network.onnx", graph.node("Cast", data, to=TensorProto.FLOAT))
    assert refused(path) == "PATH: input tokens: dtype int64 is not supported; float32 is wanted"


def test_shapes_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    graph = Graph()
    node = graph.node("MatMul", graph.input(1, 4), graph.weight(5, 2))
    path = graph.save(tmp_path / "network.onnx", node, shapes=[[1, 2]])
    assert refused(path).startswith("PATH: shapes do not fit together: ")


def test_an_operator_without_a_kernel_is_refused(tmp_path: Path) -> None:
    graph = Graph()
    values, _ = graph.nodes("TopK", graph.input(1, 4, 6), graph.integers(2), outputs=2)
    path = graph.save(tmp_path / "network.onnx", values)
    with pytest.raises(UserError) as caught:
        lower(path, find_target("host"))
    assert str(caught.value) == f"{path}: node topk_2: operator topk is not supported in an artifact"
