"""Whole attention heads and whole groups of convolutions: nothing else goes, and what goes goes exactly."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgeprune.errors import UserError
from edgeprune.pruning import Plan, compact, eliminate_dead, make_plan, plan_masks, prune, trace_coupling
from edgeprune.recipe import Prune
from tests.pruning import pruning_networks as zoo
from tests.pruning import pruning_structures as structures

IMAGE = (torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64),)
TOKENS = (torch.randn(2, 5, 16, generator=torch.Generator().manual_seed(0), dtype=torch.float64),)


def changed(plan: Plan) -> dict[str, tuple[int, int]]:
    return {layer.name: (layer.before, layer.after) for layer in plan.layers if layer.after < layer.before}


@pytest.mark.parametrize(
    ("network", "inputs", "expected"),
    [
        (structures.FusedAttention, IMAGE, {"qkv": (96, 48)}),
        (structures.GroupedQueries, TOKENS, {"q": (32, 16), "k": (16, 8), "v": (16, 8)}),
        (structures.TorchAttention, TOKENS, {"attention.in_proj_weight": (48, 24)}),
    ],
)
def test_heads(network: type[nn.Module], inputs: tuple[Tensor, ...], expected: dict[str, tuple[int, int]]) -> None:
    model = zoo.randomised(network())
    result = prune(model, inputs, Prune(amount=0.5, granularity="head"))
    assert changed(result.plan) == expected
    assert result.parity.relative_error < 1e-10
    assert all(layer.pinned for layer in result.plan.layers if layer.after == layer.before)


def test_what_is_no_head_says_so() -> None:
    plan = make_plan(zoo.randomised(structures.FusedAttention()), IMAGE, Prune(amount=0.5, granularity="head"))
    assert {layer.name: layer.pinned for layer in plan.layers} == {
        "position": "broadcast",
        "embed": "no attention head",
        "qkv": None,
        "project": "no attention head",
        "wide": "no attention head",
        "narrow": "no attention head",
        "fc": "network output",
    }


class TwoGrouped(nn.Module):
    """Two grouped convolutions, one after the other."""

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 1)
        self.one, self.two = nn.Conv2d(16, 24, 3, groups=groups), nn.Conv2d(24, 8, 1, groups=groups)
        self.last = nn.Conv2d(8, 5, 1)

    def forward(self, x: Tensor) -> Tensor:
        answer: Tensor = self.last(F.relu(self.two(F.relu(self.one(F.relu(self.stem(x)))))))
        return answer.mean((2, 3))


def groups_left(plan: Plan, groups: int) -> list[set[int]]:
    """Return the groups that channels are left of, in the stem and in both grouped convolutions."""
    sizes = {"stem.weight": 16 // groups, "one.weight": 24 // groups, "two.weight": 8 // groups}
    return [{index // size for index in plan.kept[name][0]} for name, size in sizes.items()]


@pytest.mark.parametrize("groups", [2, 4])
def test_groups_go_whole(groups: int) -> None:
    model = zoo.randomised(TwoGrouped(groups))
    plan = make_plan(model, IMAGE, Prune(amount=0.5, granularity="group"))
    assert changed(plan) == {"stem": (16, 8), "one": (24, 12), "two": (8, 4)}
    stem, one, two = groups_left(plan, groups)
    assert stem == one == two and len(stem) == groups // 2
    assert 1 not in plan.kept["one.weight"] and 1 not in plan.kept["two.weight"]
    plan_masks(model, plan).apply(model)
    small = compact(model, plan)
    assert (small.one.groups, small.two.groups, small.one.in_channels) == (groups // 2, groups // 2, 8)
    torch.testing.assert_close(small(*IMAGE), model(*IMAGE), rtol=1e-10, atol=1e-10)
    assert Plan.from_json(plan.to_json()) == plan
    # What is dead is found again only by a trace that prefers groups.
    assert changed(eliminate_dead(model, IMAGE, coupling=trace_coupling(model, IMAGE, "group"))) == changed(plan)


def test_channels_go_from_every_group() -> None:
    plan = make_plan(zoo.randomised(TwoGrouped(2)), IMAGE, Prune(amount=0.5))
    assert groups_left(plan, 2) == [{0, 1}] * 3


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        (zoo.Shuffle, {"stem": (24, 16), "grouped": (24, 16)}),
        (structures.GroupedTranspose, {"stem": (16, 8), "many": (48, 24)}),
    ],
)
def test_groups_of_shuffled_and_transposed_convolutions(
    network: type[nn.Module], expected: dict[str, tuple[int, int]]
) -> None:
    result = prune(zoo.randomised(network()), IMAGE, Prune(amount=0.5, granularity="group"))
    assert changed(result.plan) == expected
    assert result.parity.relative_error < 1e-10


@pytest.mark.parametrize(("granularity", "kind"), [("head", "attention head"), ("group", "group of a convolution")])
def test_a_network_without_is_refused(granularity: str, kind: str) -> None:
    with pytest.raises(UserError, match=f"prune: nothing can be removed: .*: no {kind}"):
        make_plan(zoo.randomised(zoo.ResNet()), IMAGE, Prune(amount=0.5, granularity=granularity))  # type: ignore[arg-type]
