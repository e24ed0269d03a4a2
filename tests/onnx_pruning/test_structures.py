"""One network per coupled structure: exactly what is dead goes, and ONNX Runtime computes the same."""

from __future__ import annotations

import numpy as np
import pytest

from edgeprune.onnx_pruning import OnnxPlan, remove_dead
from edgeprune.onnx_pruning.compact import check_equal
from edgeprune.onnx_pruning.graph import Graph, make_graph, to_model
from tests.onnx_pruning.onnx_networks import Network


def compacted(network: Network, *outputs: str, opset: int = 17) -> tuple[Graph, OnnxPlan]:
    """Return the smaller graph, which computes what the network does."""
    model = network.model(*outputs, opset=opset)
    smaller, plan = remove_dead(make_graph(model, "network"))
    check_equal(model, to_model(smaller), "network")
    return smaller, plan


def sizes(plan: OnnxPlan) -> dict[str, int]:
    return {layer.name: layer.after for layer in plan.layers}


def test_a_live_network_loses_nothing() -> None:
    network = Network()
    first = network.node("Relu", [network.conv(network.input("x", 1, 3, 8, 8), "a", 3, 4, pads=[1] * 4)], "r")
    _, plan = compacted(network, network.conv(first, "b", 4, 5))
    assert plan.kept == {}
    assert plan.parameters[0] == plan.parameters[1] == 4 * 27 + 4 + 5 * 36 + 5


def test_death_spreads_both_ways_through_a_chain() -> None:
    network = Network()
    x = network.input("x", 2, 3, 9, 9)
    for name, inputs, outputs in (("a", 3, 4), ("b", 4, 5), ("c", 5, 6)):
        x = network.node("Relu", [network.conv(x, name, inputs, outputs, pads=[1] * 4)], f"{name}_relu")
    network.gemm(network.node("Flatten", [network.node("GlobalAveragePool", [x], "p")], "f"), "d", 6, 3)
    network.kill_input("d", 2)  # nobody reads channel 2 of c
    network.weights["c.weight"][[0, 1, 3, 4, 5], 1] = 0  # so nobody reads channel 1 of b
    network.kill_output("a", 3)
    _, plan = compacted(network, "d")
    assert sizes(plan) == {"a": 3, "b": 4, "c": 5, "d": 3}
    assert plan.kept == {
        "a.weight": {0: (0, 1, 2)},
        "a.bias": {0: (0, 1, 2)},
        "b.weight": {0: (0, 2, 3, 4), 1: (0, 1, 2)},
        "b.bias": {0: (0, 2, 3, 4)},
        "c.weight": {0: (0, 1, 3, 4, 5), 1: (0, 2, 3, 4)},
        "c.bias": {0: (0, 1, 3, 4, 5)},
        "d.weight": {1: (0, 1, 3, 4, 5)},
    }


def test_a_residual_channel_goes_when_both_branches_are_dead() -> None:
    network = Network()
    stem = network.conv(network.input("x", 1, 3, 8, 8), "stem", 3, 4)
    branch = network.conv(stem, "branch", 4, 4, pads=[1] * 4)
    network.conv(network.node("Relu", [network.node("Add", [stem, branch], "sum")], "r"), "head", 4, 2)
    network.kill_output("stem", 0, 1)
    network.kill_output("branch", 1, 2)
    _, plan = compacted(network, "head")
    assert plan.kept["stem.weight"] == {0: (0, 2, 3)}
    assert plan.kept["branch.weight"] == {0: (0, 2, 3), 1: (0, 2, 3)}
    assert plan.kept["head.weight"] == {1: (0, 2, 3)}


def test_concat_and_flatten() -> None:
    network = Network()
    x = network.input("x", 1, 3, 6, 6)
    left, right = network.conv(x, "left", 3, 3), network.conv(x, "right", 3, 4)
    joined = network.node("Relu", [network.node("Concat", [left, right], "cat", axis=1)], "r")
    network.gemm(network.node("Flatten", [joined], "flat"), "fc", 7 * 16, 5)
    network.kill_output("left", 1)
    network.weights["fc.weight"][:, 16 * 5 : 16 * 6] = 0  # channel 2 of right
    network.weights["fc.weight"][:, 16 * 6 : 16 * 7 - 1] = 0  # all of channel 3 of right but one place
    _, plan = compacted(network, "fc")
    assert sizes(plan) == {"left": 2, "right": 3, "fc": 5}
    gone = {*range(16, 32), *range(80, 96)}
    assert plan.kept["fc.weight"] == {1: tuple(place for place in range(112) if place not in gone)}


@pytest.mark.parametrize("opset", [11, 17])
def test_split_slice_and_reshape_are_told_their_new_sizes(opset: int) -> None:
    network = Network()
    whole = network.conv(network.input("x", 1, 3, 6, 6), "whole", 3, 9)
    if opset < 13:
        network.node("Split", [whole], "one", "two", axis=1, split=[4, 5])
    else:
        network.node("Split", [whole, network.constant("sizes", [4, 5], np.int64)], "one", "two", axis=1)
    bounds = [network.constant(n, [v], np.int64) for n, v in (("start", 1), ("end", 4), ("axis", 1))]
    cut = network.node("Slice", ["one", *bounds], "cut")
    network.gemm(network.node("Reshape", [cut, network.constant("to", [1, -1], np.int64)], "flat"), "fc", 48, 2)
    head = network.conv("two", "head", 5, 2)
    network.kill_input("head", 0, 3)
    network.weights["fc.weight"][:, 16:32] = 0  # channel 2 of whole
    network.conv("one", "other", 4, 2)
    network.kill_input("other", 0, 2)
    smaller, plan = compacted(network, "fc", head, "other", opset=opset)
    # Channel 0 is read by nobody, 2 by nobody; 4 and 7 are channels 0 and 3 of the second part.
    assert plan.kept["whole.weight"] == {0: (1, 3, 5, 6, 8)}
    assert (smaller.shapes["one"][1], smaller.shapes["two"][1], smaller.shapes["flat"]) == (2, 3, (1, 32))


def test_depthwise_channels_go_with_their_groups() -> None:
    network = Network()
    first = network.node("Clip", [network.conv(network.input("x", 1, 3, 8, 8), "first", 3, 6)], "c")
    depth = network.conv(first, "depth", 1, 12, pads=[1] * 4, group=6)
    network.conv(depth, "point", 12, 4, size=1)
    network.kill_output("depth", 4, 5)  # both outputs of channel 2
    network.kill_output("depth", 6)  # one output of channel 3 only
    _, plan = compacted(network, "point")
    kept = (0, 1, 2, 3, *range(6, 12))
    assert plan.kept["first.weight"] == {0: (0, 1, 3, 4, 5)}
    assert plan.kept["depth.weight"] == {0: kept}
    assert plan.kept["point.weight"] == {1: kept}


def grouped() -> Network:
    network = Network()
    first = network.conv(network.input("x", 1, 3, 8, 8), "first", 3, 6)
    middle = network.node("Relu", [network.conv(first, "middle", 2, 9, group=3)], "r")
    network.conv(middle, "last", 9, 4)
    return network


def test_a_grouped_convolution_loses_the_same_places_of_every_group() -> None:
    network = grouped()
    network.kill_input("last", 1, 4, 7)
    network.kill_output("first", 0, 2, 4)
    _, plan = compacted(network, "last")
    assert plan.kept["middle.weight"] == {0: (0, 2, 3, 5, 6, 8), 1: (1,)}
    assert plan.kept["first.weight"] == {0: (1, 3, 5)}


def test_a_grouped_convolution_loses_a_whole_group() -> None:
    network = grouped()
    network.kill_input("last", 3, 4, 5)
    network.kill_output("middle", 0)  # in one group only: it stays
    smaller, plan = compacted(network, "last")
    assert plan.kept["middle.weight"] == {0: (0, 1, 2, 6, 7, 8)}
    assert plan.kept["first.weight"] == {0: (0, 1, 4, 5)}
    node = next(node for node in smaller.nodes if node.name == "middle")
    assert next(entry.i for entry in node.attribute if entry.name == "group") == 2


def test_squeeze_and_excite() -> None:
    network = Network()
    x = network.conv(network.input("x", 1, 3, 8, 8), "first", 3, 6)
    squeezed = network.conv(network.node("GlobalAveragePool", [x], "p"), "squeeze", 6, 4, size=1)
    excited = network.conv(network.node("Relu", [squeezed], "r"), "excite", 4, 6, size=1)
    gate = network.node("Sigmoid", [excited], "gate")
    network.conv(network.node("Mul", [x, gate], "scaled"), "last", 6, 2)
    network.kill_output("first", 2)
    network.kill_input("last", 4)  # channel 4 is still squeezed, so it stays
    network.kill_input("excite", 1)
    _, plan = compacted(network, "last")
    assert plan.kept["first.weight"] == {0: (0, 1, 3, 4, 5)}
    assert plan.kept["excite.weight"] == {0: (0, 1, 3, 4, 5), 1: (0, 2, 3)}
    assert plan.kept["squeeze.weight"] == {0: (0, 2, 3), 1: (0, 1, 3, 4, 5)}


def normed(size: int, **attributes: object) -> Network:
    """A network whose channel 1 is the constant 0.75 behind its normalisation, and channel 2 zero."""
    network = Network()
    x = network.norm(network.conv(network.input("x", 2, 3, 8, 8), "first", 3, 4), "norm", 4)
    network.conv(network.node("Relu", [x], "r"), "last", 4, 5, size=size, **attributes)
    network.weights["norm.weight"][[1, 2]] = 0
    network.weights["norm.bias"][[1, 2]] = (0.75, -1.0)
    return network


@pytest.mark.parametrize("size", [1, 3])
def test_a_constant_channel_folds_into_an_unpadded_reader(size: int) -> None:
    network = normed(size)
    smaller, plan = compacted(network, "last")
    assert plan.kept["first.weight"] == plan.kept["norm.mean"] == {0: (0, 3)}
    assert plan.kept["last.weight"] == {1: (0, 3)}
    added = 0.75 * network.weights["last.weight"][:, 1].sum(axis=(1, 2))
    np.testing.assert_allclose(smaller.constants["last.bias"], network.weights["last.bias"] + added, rtol=1e-5)


def test_a_constant_channel_stays_before_a_padded_reader() -> None:
    _, plan = compacted(normed(3, pads=[1] * 4), "last")
    assert plan.kept["first.weight"] == {0: (0, 1, 3)}
    assert (
        "1 constant channels stay: what they add through last.weight is not the same at a padded border" in plan.notes
    )


def test_a_constant_is_folded_where_a_reader_has_no_bias_yet() -> None:
    network = normed(1)
    network._nodes[-1].input.pop()
    smaller, plan = compacted(network, "last")
    assert plan.kept["last.weight"] == {1: (0, 3)}
    node = next(node for node in smaller.nodes if node.name == "last")
    added = 0.75 * network.weights["last.weight"][:, 1, 0, 0]
    np.testing.assert_allclose(smaller.constants[node.input[2]], added, rtol=1e-5)


def test_a_constant_folds_into_gemm_with_a_factor_and_into_the_addition_after_a_product() -> None:
    network = Network()
    hidden = network.gemm(network.input("x", 3, 5), "a", 5, 4)
    network.weights["a.weight"][1] = 0
    second = [hidden, network.weight("b.weight", 4, 6), network.weight("b.bias", 6)]
    network.node("Gemm", second, "b", alpha=0.5, beta=2.0)
    network.weights["b.weight"][:, 3] = 0
    network.node("MatMul", [network.node("Tanh", ["b"], "t"), network.weight("c.weight", 6, 2)], "c")
    network.node("Add", [network.weight("c.bias", 2), "c"], "y")
    smaller, plan = compacted(network, "y")
    assert plan.kept == {
        "a.weight": {0: (0, 2, 3)},
        "a.bias": {0: (0, 2, 3)},
        "b.weight": {0: (0, 2, 3), 1: (0, 1, 2, 4, 5)},
        "b.bias": {0: (0, 1, 2, 4, 5)},
        "c.weight": {0: (0, 1, 2, 4, 5)},
    }
    value = np.tanh(2 * network.weights["b.bias"][3] + 0.5 * 0.0)
    expected = network.weights["c.bias"] + value * network.weights["c.weight"][3]
    np.testing.assert_allclose(smaller.constants["c.bias"], expected, rtol=1e-5)


def test_several_inputs_and_outputs() -> None:
    network = Network()
    left = network.conv(network.input("x", 1, 3, 8, 8), "left", 3, 4)
    right = network.conv(network.input("z", 1, 2, 8, 8), "right", 2, 4)
    total = network.node("Sub", [left, right], "difference")
    network.conv(total, "one", 4, 2)
    network.conv(total, "two", 4, 3)
    network.kill_input("one", 0, 1)
    network.kill_input("two", 1, 2)
    _, plan = compacted(network, "one", "two")
    assert plan.kept["left.weight"] == plan.kept["right.weight"] == {0: (0, 2, 3)}


def test_what_is_an_output_stays() -> None:
    network = Network()
    first = network.conv(network.input("x", 1, 3, 8, 8), "first", 3, 4)
    network.conv(first, "last", 4, 2)
    network.kill_input("last", 1)
    _, plan = compacted(network, "last", first)
    assert plan.kept == {}
    assert plan.layers[0].pinned == "the network's output"


def test_no_axis_loses_its_last_index() -> None:
    network = Network()
    first = network.node("Relu", [network.conv(network.input("x", 1, 3, 8, 8), "first", 3, 4)], "r")
    network.conv(first, "last", 4, 2)
    network.weights["last.weight"][:] = 0
    _, plan = compacted(network, "last")
    assert sizes(plan) == {"first": 1, "last": 2}


def test_a_channel_shuffle() -> None:
    network = Network()
    first = network.conv(network.input("x", 1, 3, 6, 6), "first", 3, 6)
    cut = network.node("Reshape", [first, network.constant("cut", [1, 2, 3, 4, 4], np.int64)], "split")
    turned = network.node("Transpose", [cut], "turned", perm=[0, 2, 1, 3, 4])
    merged = network.node("Reshape", [turned, network.constant("merge", [1, 6, 4, 4], np.int64)], "shuffled")
    network.conv(merged, "last", 6, 2)
    network.kill_output("first", 1, 4, 5)
    _, plan = compacted(network, "last")
    assert plan.kept["first.weight"] == {0: (0, 2, 3, 5)}
    assert plan.kept["last.weight"] == {1: (0, 1, 4, 5)}


def test_a_chosen_order_of_channels_is_renumbered() -> None:
    network = Network()
    first = network.conv(network.input("x", 1, 3, 6, 6), "first", 3, 4)
    order = network.constant("order", [3, 1, 0, 2], np.int64)
    network.conv(network.node("Gather", [first, order], "mixed", axis=1), "last", 4, 2)
    network.kill_output("first", 1)
    smaller, plan = compacted(network, "last")
    assert plan.kept["first.weight"] == {0: (0, 2, 3)}
    assert smaller.constants["order"].tolist() == [2, 0, 1]


def test_a_transposed_convolution_and_resizing() -> None:
    network = Network()
    first = network.conv(network.input("x", 1, 3, 6, 6), "first", 3, 4)
    sizes_of = network.constant("sizes", [1, 4, 8, 8], np.int64)
    larger = network.node("Resize", [first, "", "", sizes_of], "larger", mode="nearest")
    up = network.node("ConvTranspose", [larger, network.weight("up.weight", 4, 5, 2, 2)], "up", strides=[2, 2])
    network.conv(network.node("PRelu", [up, network.weight("slope", 5, 1, 1)], "p"), "last", 5, 2)
    network.kill_output("first", 2)
    network.kill_input("last", 0, 4)
    _, plan = compacted(network, "last")
    assert plan.kept["up.weight"] == {0: (0, 1, 3), 1: (1, 2, 3)}
    assert plan.kept["slope"] == {0: (1, 2, 3)}


def test_an_operator_without_a_rule_keeps_what_it_touches_and_is_named() -> None:
    network = Network()
    first = network.conv(network.input("x", 1, 3, 6, 6), "first", 3, 4)
    normal = network.node("LRN", [first], "local", size=3)
    network.conv(network.conv(normal, "second", 4, 5, size=1), "last", 5, 2)
    network.kill_output("first", 2)
    network.kill_output("second", 2)
    _, plan = compacted(network, "last")
    assert sizes(plan) == {"first": 4, "second": 4, "last": 2}
    assert plan.layers[0].pinned == "operator LRN has no rule"
    assert plan.notes == ("node local: operator LRN has no rule; what it reads and writes stays whole",)


def test_a_shared_weight_goes_when_both_of_its_uses_allow_it() -> None:
    network = Network()
    left = network.conv(network.input("x", 1, 3, 6, 6), "left", 3, 4)
    right = network.node("Conv", [network.input("z", 1, 3, 6, 6), "left.weight", "left.bias"], "right")
    network.conv(left, "one", 4, 2)
    network.conv(right, "two", 4, 2)
    network.kill_input("one", 0, 1)
    network.kill_input("two", 1, 2)
    _, plan = compacted(network, "one", "two")
    assert plan.kept["left.weight"] == {0: (0, 2, 3)}
    assert plan.kept["one.weight"] == plan.kept["two.weight"] == {1: (0, 2, 3)}


@pytest.mark.parametrize(("mode", "gone"), [("CRD", (4, 5, 6, 7)), ("DCR", (1, 4, 7, 10))])
def test_a_pixel_shuffle(mode: str, gone: tuple[int, ...]) -> None:
    network = Network()
    first = network.conv(network.input("x", 1, 3, 6, 6), "first", 3, 12)
    wide = network.node("DepthToSpace", [first], "wide", blocksize=2, mode=mode)
    network.conv(network.node("SpaceToDepth", [wide], "deep", blocksize=2), "last", 12, 2)
    network.kill_output("first", *gone)
    _, plan = compacted(network, "last")
    assert plan.kept["first.weight"] == {0: tuple(place for place in range(12) if place not in gone)}
    assert plan.kept["last.weight"] == {1: (0, 2, 3, 5, 6, 8, 9, 11)}


@pytest.mark.parametrize("gone", [(3, 4, 5), (0, 3, 6, 9)], ids=["a head", "a place in each head"])
def test_heads_of_an_attention(gone: tuple[int, ...]) -> None:
    network = Network()
    x = network.input("x", 5, 6)
    parts = []
    for part in ("query", "key", "value"):
        network.gemm(x, part, 6, 12)
        to = network.constant(f"{part}.to", [5, 4, 3], np.int64)
        parts.append(network.node("Reshape", [part, to], f"{part}.heads"))
    query, value = (network.node("Transpose", [parts[i]], f"turned{i}", perm=[1, 0, 2]) for i in (0, 2))
    key = network.node("Transpose", [parts[1]], "turned1", perm=[1, 2, 0])
    scores = network.node("Softmax", [network.node("MatMul", [query, key], "scores")], "weights")
    mixed = network.node("Transpose", [network.node("MatMul", [scores, value], "mixed")], "back", perm=[1, 0, 2])
    flat = network.node("Reshape", [mixed, network.constant("to", [5, 12], np.int64)], "flat")
    network.gemm(flat, "out", 12, 2)
    network.kill_input("out", *gone)
    network.kill_output("query", *gone)
    _, plan = compacted(network, "out")
    kept = tuple(place for place in range(12) if place not in gone)
    assert plan.kept["value.weight"] == {0: kept}
    assert plan.kept["query.weight"] == plan.kept["key.weight"] == {0: kept}
    assert plan.kept["out.weight"] == {1: kept}


def test_a_transposed_convolution_in_groups_loses_a_whole_group() -> None:
    network = Network()
    first = network.conv(network.input("x", 1, 3, 6, 6), "first", 3, 6)
    operands = [first, network.weight("up.weight", 6, 2, 2, 2), network.weight("up.bias", 6)]
    network.conv(network.node("ConvTranspose", operands, "up", strides=[2, 2], group=3), "last", 6, 2)
    network.kill_input("last", 0, 2, 3)  # half of group 0, all of group 1
    smaller, plan = compacted(network, "last")
    assert plan.kept["first.weight"] == plan.kept["up.weight"] == {0: (0, 1, 4, 5)}
    assert plan.kept["up.bias"] == {0: (0, 1, 4, 5)}
    node = next(node for node in smaller.nodes if node.name == "up")
    assert next(entry.i for entry in node.attribute if entry.name == "group") == 2


def test_a_transposed_convolution_in_groups_loses_the_same_places_of_every_group() -> None:
    network = Network()
    first = network.conv(network.input("x", 1, 3, 6, 6), "first", 3, 6)
    operands = [first, network.weight("up.weight", 6, 3, 2, 2), network.weight("up.bias", 9)]
    up = network.node("ConvTranspose", operands, "up", strides=[2, 2], group=3)
    network.conv(network.node("Relu", [up], "r"), "last", 9, 2)
    network.kill_input("last", 1, 4, 7)
    network.kill_output("first", 0, 2, 4)
    network.weights["up.weight"][1::2, 2] = 0  # nothing but its bias is left of output 2 of every group
    smaller, plan = compacted(network, "last")
    assert plan.kept["first.weight"] == {0: (1, 3, 5)}
    assert plan.kept["up.weight"] == {0: (1, 3, 5), 1: (0,)}
    assert plan.kept["up.bias"] == {0: (0, 3, 6)}
    assert plan.kept["last.weight"] == {1: (0, 3, 6)}
    node = next(node for node in smaller.nodes if node.name == "up")
    assert next(entry.i for entry in node.attribute if entry.name == "group") == 3


def test_a_constant_folds_into_a_transposed_convolution_in_groups() -> None:
    network = Network()
    first = network.conv(network.input("x", 1, 3, 6, 6), "first", 3, 4)
    operands = [first, network.weight("up.weight", 4, 2, 2, 2), network.weight("up.bias", 4)]
    network.conv(network.node("ConvTranspose", operands, "up", strides=[2, 2], group=2), "last", 4, 2)
    network.weights["up.weight"][:] = network.weights["up.weight"][:, :, :1, :1]  # the same at all four places
    network.weights["first.weight"][[1, 3]] = 0
    smaller, plan = compacted(network, "last")
    assert plan.kept["first.weight"] == {0: (0, 2)}
    added = np.concatenate(
        [network.weights["first.bias"][c] * network.weights["up.weight"][c, :, 0, 0] for c in (1, 3)]
    )
    np.testing.assert_allclose(smaller.constants["up.bias"], network.weights["up.bias"] + added, rtol=1e-5)


def test_channels_put_around_a_shortcut_go_with_what_they_are_added_to() -> None:
    network = Network()
    x = network.node("Relu", [network.conv(network.input("x", 1, 3, 6, 6), "stem", 3, 3)], "r")
    pads = network.constant("pads", [0, 2, 0, 0, 0, 1, 0, 0], np.int64)
    wide = network.node("Pad", [x, pads], "padded")
    total = network.node("Add", [network.conv(x, "wide", 3, 6, pads=[1] * 4), wide], "sum")
    network.conv(total, "last", 6, 2)
    network.kill_output("wide", 0, 3, 5)  # before, inside and behind what was padded
    network.kill_output("stem", 1)  # channel 3 of the sum
    smaller, plan = compacted(network, "last")
    assert plan.kept["stem.weight"] == {0: (0, 2)}
    assert plan.kept["wide.weight"] == {0: (1, 2, 4), 1: (0, 2)}
    assert plan.kept["last.weight"] == {1: (1, 2, 4)}
    assert smaller.constants["pads"].tolist() == [0, 1, 0, 0, 0, 0, 0, 0]


def test_zeros_put_back_twice_are_put_back_once() -> None:
    """What was filled in one round is filled anew in the next, not on top, and that alone is no progress."""
    network = Network()
    x = network.conv(network.input("x", 1, 3, 6, 6), "first", 3, 6)
    x = network.node("Transpose", [x], "last_axis", perm=[0, 2, 3, 1])
    vectors = [network.weight("norm.scale", 6), network.weight("norm.shift", 6)]
    x = network.node("LayerNormalization", [x, *vectors], "norm", axis=-1)
    x = network.node("Transpose", [x], "first_axis", perm=[0, 3, 1, 2])
    network.conv(network.conv(x, "second", 3, 6, size=1, group=2), "third", 6, 2, size=1)
    network.kill_output("first", 0, 2, 3, 5)
    for name in vectors:
        network.weights[name][[0, 2, 3, 5]] = 0
    network.kill_input("third", 1, 4)
    smaller, plan = compacted(network, "third")
    assert sizes(plan) == {"first": 2, "second": 4, "third": 2}
    kinds = [node.op_type for node in smaller.nodes]
    assert (kinds.count("Pad"), kinds.count("Slice")) == (1, 1)
    assert remove_dead(smaller)[1].kept == {}
