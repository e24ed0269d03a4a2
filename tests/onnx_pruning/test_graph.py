"""What a graph reads from a file: constants, shapes, and the forms older writers use."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from edgeprune.errors import UserError
from edgeprune.onnx_pruning import remove_dead
from edgeprune.onnx_pruning.compact import check_equal
from edgeprune.onnx_pruning.graph import make_graph, to_model
from tests.onnx_pruning.onnx_networks import Network


def pair() -> Network:
    network = Network()
    network.conv(network.conv(network.input("x", 1, 3, 8, 8), "first", 3, 4), "last", 4, 2)
    network.kill_input("last", 1)
    return network


def test_initializers_may_be_listed_as_inputs_too() -> None:
    model = pair().model("last")
    for tensor in model.graph.initializer:
        model.graph.input.append(helper.make_tensor_value_info(tensor.name, TensorProto.FLOAT, tensor.dims))
    smaller, plan = remove_dead(make_graph(model, "network"))
    assert plan.kept["first.weight"] == {0: (0, 2, 3)}
    assert [value.name for value in smaller.inputs] == ["x"]
    check_equal(model, to_model(smaller), "network")


def test_shapes_and_transposed_weights_are_constants() -> None:
    network = Network()
    x = network.conv(network.input("x", 2, 3, 6, 6), "first", 3, 4)
    batch = network.node("Gather", [network.node("Shape", [x], "shape"), network.constant("0", 0, np.int64)], "batch")
    batch = network.node("Unsqueeze", [batch, network.constant("zero", [0], np.int64)], "batch1")
    to = network.node("Concat", [batch, network.constant("rest", [-1], np.int64)], "to", axis=0)
    turned = network.node("Transpose", [network.weight("fc", 5, 64)], "turned", perm=[1, 0])
    network.node("MatMul", [network.node("Reshape", [x, to], "flat"), turned], "y")
    network.weights["fc"][:, 32:48] = 0
    model = network.model("y")
    smaller, plan = remove_dead(make_graph(model, "network"))
    assert [node.op_type for node in smaller.nodes] == ["Conv", "Reshape", "MatMul"]
    assert plan.kept["turned"] == {0: (*range(32), *range(48, 64))}
    check_equal(model, to_model(smaller), "network")


def test_what_a_subgraph_reads_stays() -> None:
    network = pair()
    branches = {
        name: helper.make_graph(
            [helper.make_node(operator, ["first"], [f"{name}_out"])],
            name,
            [],
            [helper.make_tensor_value_info(f"{name}_out", TensorProto.FLOAT, [1, 4, 6, 6])],
        )
        for name, operator in (("then_branch", "Relu"), ("else_branch", "Neg"))
    }
    network.node("Greater", [network.input("a"), network.input("b")], "condition")
    network.node("If", ["condition"], "either", **branches)
    _, plan = remove_dead(make_graph(network.model("last", "either"), "network"))
    assert plan.kept == {}
    assert plan.layers[0].pinned == "operator If has no rule"


def test_a_shape_that_depends_on_values_is_named() -> None:
    network = Network()
    network.node("NonZero", [network.input("x", 2, 3)], "places")
    network.node("ReduceMax", ["places"], "y", keepdims=0)
    model = network.model("y")
    model.graph.output[0].type.tensor_type.elem_type = TensorProto.INT64
    with pytest.raises(UserError, match=r"network: tensor places: dimension 1 .* is not static; export with fixed"):
        make_graph(model, "network")


def test_double_precision_and_a_tied_bias() -> None:
    network = Network()
    network.gemm(network.input("x", 2, 5), "a", 5, 4)
    network.node("Gemm", ["a", network.weight("b.weight", 4, 4), "a.bias"], "b")
    network.node("Gemm", ["b", network.weight("c.weight", 4, 3)], "c")
    network.weights["a.weight"][2] = 0
    network.weights["b.weight"][:, 2] = 0
    network.weights = {name: value.astype(np.float64) for name, value in network.weights.items()}
    network._inputs[0].type.tensor_type.elem_type = TensorProto.DOUBLE
    model = network.model("c")
    model.graph.output[0].type.tensor_type.elem_type = TensorProto.DOUBLE
    smaller, plan = remove_dead(make_graph(model, "network"))
    assert plan.kept["a.weight"] == {0: (0, 1, 3)}
    assert plan.kept["b.weight"] == {0: (0, 1, 3), 1: (0, 1, 3)}
    found = check_equal(model, to_model(smaller), "network")
    assert found[0].relative_error < 1e-13


def test_the_model_given_is_not_changed() -> None:
    model = pair().model("last")
    before = model.SerializeToString(deterministic=True)
    remove_dead(make_graph(model, "network"))
    assert model.SerializeToString(deterministic=True) == before
    assert onnx.load_model_from_string(before).graph.initializer[0].dims == [4, 3, 3, 3]
