"""Dead neurons and channels go, constants fold where exact, and the padding trap is not fallen into."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from edgeprune.pruning import Plan, compact, eliminate_dead, weight_masks
from edgeprune.recipe import Prune
from tests.pruning import pruning_networks as zoo

IMAGE = (torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64),)


def after(plan: Plan) -> dict[str, int]:
    return {layer.name: layer.after for layer in plan.layers}


def agree(model: nn.Module, small: nn.Module, inputs: tuple[torch.Tensor, ...]) -> float:
    expected, actual = model(*inputs), small(*inputs)
    return float(((expected - actual).abs().max() / expected.abs().max()).detach())


def two_convolutions(padding: int) -> nn.Sequential:
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 5, 3, padding=padding), nn.ReLU(), nn.Conv2d(5, 2, 1)
    )
    return zoo.randomised(model)  # type: ignore[return-value]


def test_a_live_network_loses_nothing() -> None:
    model = zoo.randomised(zoo.ResNet())
    plan = eliminate_dead(model, IMAGE)
    assert plan.kept == {}
    assert plan.parameters_after == plan.parameters_before


def test_a_channel_nobody_reads_goes_and_takes_its_makers_along() -> None:
    model = two_convolutions(padding=1)
    with torch.no_grad():
        model[4].weight[:, 3] = 0
        # Channel 1 of the first layer is read by channel 3 of the second only.
        model[2].weight[[0, 1, 2, 4], 1] = 0
    plan = eliminate_dead(model, IMAGE)
    assert after(plan) == {"0": 3, "2": 4, "4": 2}
    assert plan.kept["0.weight"] == {0: (0, 2, 3)}
    assert plan.kept["2.weight"] == {0: (0, 1, 2, 4), 1: (0, 2, 3)}
    assert agree(model, compact(model, plan), IMAGE) < 1e-12


def test_a_channel_without_input_and_bias_goes() -> None:
    model = two_convolutions(padding=1)
    with torch.no_grad():
        model[0].weight[2] = 0
        model[0].bias[2] = -0.5  # cut off by the rectifier
    plan = eliminate_dead(model, IMAGE)
    assert after(plan) == {"0": 3, "2": 5, "4": 2}
    assert plan.folds == {}
    assert agree(model, compact(model, plan), IMAGE) < 1e-12


def test_a_constant_channel_is_folded_into_an_unpadded_reader() -> None:
    model = two_convolutions(padding=0)
    with torch.no_grad():
        model[0].weight[2] = 0
        model[0].bias[2] = 0.75
    plan = eliminate_dead(model, IMAGE)
    assert after(plan) == {"0": 3, "2": 5, "4": 2}
    expected = 0.75 * model[2].weight[:, 2].sum(dim=(1, 2))
    torch.testing.assert_close(torch.tensor(plan.folds["2.bias"], dtype=torch.float64), expected.detach())
    assert agree(model, compact(model, plan), IMAGE) < 1e-12


def test_a_constant_channel_stays_before_a_padded_reader() -> None:
    model = two_convolutions(padding=1)
    with torch.no_grad():
        model[0].weight[2] = 0
        model[0].bias[2] = 0.75
    plan = eliminate_dead(model, IMAGE)
    assert plan.kept == {} and plan.folds == {}
    assert plan.notes == ("1 constant channels stay: at the padded border of 2.weight they are not constant",)


def test_a_normalisation_with_scale_zero_keeps_its_constant() -> None:
    """Torch-Pruning removes such a channel with its shift of 0.5, and the output is off by more than half."""
    model = zoo.randomised(
        nn.Sequential(
            nn.Conv2d(3, 6, 3, bias=False),
            nn.BatchNorm2d(6),
            nn.ReLU(),
            nn.Conv2d(6, 8, 1, bias=False),
            nn.BatchNorm2d(8),
            nn.Flatten(),
            nn.Linear(288, 4),
        )
    )
    with torch.no_grad():
        model[1].weight[[1, 4]] = 0  # type: ignore[index]
        model[1].bias[[1, 4]] = 0.5  # type: ignore[index]
    plan = eliminate_dead(model, IMAGE)
    assert after(plan) == {"0": 4, "3": 8, "6": 4}
    assert list(plan.folds) == ["4.running_mean"]
    assert agree(model, compact(model, plan), IMAGE) < 1e-12


def test_a_residual_sum_goes_only_if_all_its_terms_are_dead() -> None:
    model = zoo.randomised(zoo.ResNet())
    with torch.no_grad():
        for name in ("stem.1", "blocks.0.bn2"):
            norm = model.get_submodule(name)
            norm.weight[[0, 5]] = 0
            norm.bias[[0, 5]] = 0
        model.get_submodule("stem.1").bias[5] = 0.3
    plan = eliminate_dead(model, IMAGE)
    assert after(plan)["stem.0"] == 15 and after(plan)["blocks.0.conv2"] == 15
    assert plan.kept["stem.0.weight"] == {0: tuple(index for index in range(16) if index != 0)}
    assert agree(model, compact(model, plan), IMAGE) < 1e-12


def test_dead_neurons_after_pruning_single_weights() -> None:
    model = zoo.randomised(zoo.lenet300(), dtype=torch.float32)
    masks = weight_masks(model, Prune(amount=0.999, granularity="weight", scope="global"))
    masks.apply(model)
    inputs = (torch.randn(2, 1, 28, 28),)
    plan = eliminate_dead(model, inputs)
    small = compact(model, plan)
    live_in = (model[1].weight != 0).any(1) | (model[1].bias > 0)
    # A neuron is alive only if something reads it; constants (no input, positive bias) are folded.
    read = (model[3].weight != 0).any(0)
    assert after(plan)["1"] <= int(((model[1].weight != 0).any(1) & read).sum())
    assert after(plan)["1"] < 300 and bool(live_in.any())
    assert plan.folds
    assert agree(model, small, inputs) < 1e-5
    shrunk = masks.shrunk(plan)
    for name, parameter in small.named_parameters():
        if name in shrunk:
            assert torch.equal(shrunk[name], parameter != 0)


def test_every_neuron_dead_still_leaves_one() -> None:
    model = zoo.randomised(nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3)))
    with torch.no_grad():
        model[2].weight.zero_()  # type: ignore[union-attr]
    inputs = (torch.ones(2, 4, dtype=torch.float64),)
    plan = eliminate_dead(model, inputs)
    assert after(plan) == {"0": 1, "2": 3}
    assert agree(model, compact(model, plan), inputs) < 1e-12


class Hidden(nn.Module):
    """Values that depend on the input and pass through truth values, noise and changes in place."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self.a, self.b = nn.Linear(4, 6), nn.Linear(6, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.a(x)
        if self.kind == "compare":
            x = (x > 0).to(x.dtype)
        elif self.kind == "where":
            x = torch.where(x > 0, torch.ones_like(x), torch.zeros_like(x))
        elif self.kind == "nan":
            x = torch.nan_to_num(x)
        elif self.kind == "noise":
            x = torch.rand_like(x) + x
        elif self.kind == "sign-in-place":
            x = x.clone()
            x.relu_()
        return self.b(x)


@pytest.mark.parametrize("kind", ["compare", "where", "nan", "noise", "sign-in-place"])
def test_what_depends_on_the_input_is_never_taken_for_a_constant(kind: str) -> None:
    model = zoo.randomised(Hidden(kind))
    plan = eliminate_dead(model, (torch.ones(2, 4, dtype=torch.float64),))
    assert plan.kept == {} and plan.folds == {}
