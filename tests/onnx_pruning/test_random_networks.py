"""Random networks with random dead channels: the smaller one computes the same, and a second look finds nothing."""

from __future__ import annotations

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgeprune.onnx_pruning import remove_dead
from edgeprune.onnx_pruning.compact import check_equal
from edgeprune.onnx_pruning.graph import make_graph, to_model
from tests.onnx_pruning.onnx_networks import Network

_CHANNELS = 8


class Blocks:
    """Structures that take and give 8 channels of 6x6."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self._count = 0

    def add(self, kind: str, x: str) -> str:
        self._count += 1
        made: str = getattr(self, f"_{kind}")(x, f"{kind}{self._count}")
        return made

    def _same(self, x: str, name: str, inputs: int = _CHANNELS, **attributes: object) -> str:
        return self.network.conv(x, name, inputs, _CHANNELS, pads=[1] * 4, **attributes)

    def _plain(self, x: str, name: str) -> str:
        return self.network.node("Relu", [self._same(x, name)], f"{name}_relu")

    def _point(self, x: str, name: str) -> str:
        return self.network.conv(self.network.norm(x, f"{name}_norm", _CHANNELS), name, _CHANNELS, _CHANNELS, size=1)

    def _residual(self, x: str, name: str) -> str:
        return self.network.node("Add", [x, self._same(x, name)], f"{name}_sum")

    def _depthwise(self, x: str, name: str) -> str:
        return self._same(x, name, inputs=1, group=_CHANNELS)

    def _grouped(self, x: str, name: str) -> str:
        return self._same(x, name, inputs=4, group=2)

    def _transposed(self, x: str, name: str) -> str:
        operands = [x, self.network.weight(f"{name}.weight", 8, 4, 2, 2), self.network.weight(f"{name}.bias", 8)]
        large = self.network.node("ConvTranspose", operands, name, group=2, strides=[2, 2])
        return self.network.node("AveragePool", [large], f"{name}_small", kernel_shape=[2, 2], strides=[2, 2])

    def _normalised(self, x: str, name: str) -> str:
        last = self.network.node("Transpose", [self._same(x, name)], f"{name}_last", perm=[0, 2, 3, 1])
        vectors = [self.network.weight(f"{name}.{part}", _CHANNELS) for part in ("scale", "shift")]
        normed = self.network.node("LayerNormalization", [last, *vectors], f"{name}_normed", axis=-1)
        return self.network.node("Transpose", [normed], f"{name}_first", perm=[0, 3, 1, 2])

    def _concat(self, x: str, name: str) -> str:
        both = self.network.node("Concat", [x, self._same(x, name)], f"{name}_cat", axis=1)
        return self.network.conv(both, f"{name}_narrow", 2 * _CHANNELS, _CHANNELS, size=1)

    def _split(self, x: str, name: str) -> str:
        sizes = self.network.constant(f"{name}_sizes", [3, 5], np.int64)
        self.network.node("Split", [self._same(x, name), sizes], f"{name}_3", f"{name}_5", axis=1)
        turned = self.network.node("Concat", [f"{name}_5", f"{name}_3"], f"{name}_cat", axis=1)
        return self.network.node("Tanh", [turned], f"{name}_tanh")

    def _shuffle(self, x: str, name: str) -> str:
        cut = self.network.constant(f"{name}_cut", [1, 2, 4, 6, 6], np.int64)
        merge = self.network.constant(f"{name}_merge", [1, 8, 6, 6], np.int64)
        x = self.network.node("Reshape", [self._same(x, name), cut], f"{name}_5d")
        x = self.network.node("Transpose", [x], f"{name}_turned", perm=[0, 2, 1, 3, 4])
        return self.network.node("Reshape", [x, merge], f"{name}_4d")

    def _gate(self, x: str, name: str) -> str:
        pooled = self.network.node("GlobalAveragePool", [x], f"{name}_pool")
        gate = self.network.conv(pooled, name, _CHANNELS, _CHANNELS, size=1)
        return self.network.node("Mul", [x, self.network.node("HardSigmoid", [gate], f"{name}_hs")], f"{name}_out")

    def _pool(self, x: str, name: str) -> str:
        window = {"kernel_shape": [3, 3], "pads": [1] * 4}
        large = self.network.node("MaxPool", [self._same(x, name)], f"{name}_max", **window)
        return self.network.node(
            "Sub", [large, self.network.node("AveragePool", [x], f"{name}_avg", **window)], f"{name}_d"
        )

    def _instance(self, x: str, name: str) -> str:
        vectors = [self.network.weight(f"{name}.{part}", _CHANNELS) for part in ("weight", "bias")]
        return self.network.node("InstanceNormalization", [x, *vectors], name)


KINDS = tuple(name[1:] for name in vars(Blocks) if name.startswith("_") and not name.startswith(("__", "_same")))


def kill(network: Network, generator: np.random.Generator) -> None:
    """Set a third of the outputs or inputs of many layers to zero, with or without their biases."""
    for name, weight in network.weights.items():
        if not name.endswith(".weight"):
            continue
        how = generator.integers(4)
        chosen = generator.integers(0, len(weight), max(1, len(weight) // 3))
        if how in (0, 1):
            weight[chosen] = 0
        if how == 0:
            network.weights[name.replace(".weight", ".bias")][chosen] = 0
        if how == 2 and weight.ndim > 1:
            weight[:, generator.integers(0, weight.shape[1], max(1, weight.shape[1] // 3))] = 0


def test_every_structure_is_drawn() -> None:
    assert len(KINDS) == 13


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(kinds=st.lists(st.sampled_from(KINDS), min_size=1, max_size=4), seed=st.integers(0, 10_000), flat=st.booleans())
def test_the_smaller_network_computes_the_same(kinds: list[str], seed: int, flat: bool) -> None:
    network = Network(seed)
    blocks = Blocks(network)
    x = network.conv(network.input("x", 1, 3, 8, 8), "stem", 3, _CHANNELS)
    for kind in kinds:
        x = blocks.add(kind, x)
    if not flat:
        x = network.node("GlobalAveragePool", [x], "pooled")
    network.gemm(network.node("Flatten", [x], "flat"), "head", _CHANNELS * (36 if flat else 1), 3)
    kill(network, np.random.default_rng(seed))
    model = network.model("head")
    smaller, plan = remove_dead(make_graph(model, "network"))
    check_equal(model, to_model(smaller), "network")
    assert plan.parameters[1] <= plan.parameters[0]
    assert remove_dead(smaller)[1].kept == {}
