"""Literal decisions per criterion and scope on hand-made weights, and everything a user can ask wrongly."""

from __future__ import annotations

import re

import pytest
import torch
from torch import Tensor, nn

from edgeprune.errors import UserError
from edgeprune.pruning import Evidence, Plan, make_plan, plan_masks, prune, trace_coupling
from edgeprune.pruning.criteria import score_sets
from edgeprune.recipe import Override, Prune
from tests.pruning import pruning_networks as zoo

POINT = (torch.ones(1, 2),)


def hand_made() -> nn.Sequential:
    """Two hidden layers of four; the first's norms rise 4, 1, 3, 2, the second's 1, 2, 3, 4."""
    model = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 1))
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[4.0, 0.0], [0.5, 0.5], [-3.0, 0.0], [1.0, -1.0]]))
        model[2].weight.copy_(torch.eye(4) * torch.tensor([1.0, 2.0, 3.0, 4.0]))
        model[4].weight.fill_(1.0)
        for layer in (model[0], model[2], model[4]):
            layer.bias.zero_()
    return model


def kept(model: nn.Module, settings: Prune, **more: object) -> dict[str, tuple[int, ...]]:
    plan = make_plan(model, POINT, settings, **more)  # type: ignore[arg-type]
    return {name: axes[0] for name, axes in plan.kept.items() if name.endswith("weight") and 0 in axes}


def scores(model: nn.Module, criterion: str, *batches: tuple[Tensor, ...]) -> list[float]:
    coupling = trace_coupling(model, POINT)
    found = score_sets(criterion, Evidence(coupling, model, batches))
    order = next(axis.sets for axis in coupling.axes if axis.name == "0.weight" and axis.axis == 0)
    return [round(value, 4) for value in found[order].tolist()]


def test_l1_scores_average_makers_and_readers_each_by_its_mean() -> None:
    # Made: 4, 1, 3, 2 over 2.5; read by columns of 1, 2, 3, 4 over 2.5.
    assert scores(hand_made(), "l1") == [1.0, 0.6, 1.2, 1.2]


def test_l2_scores_use_the_euclidean_norm() -> None:
    made = [4.0, 0.5**0.5, 3.0, 2**0.5]
    mean = sum(made) / 4
    expected = [round((m / mean + r / 2.5) / 2, 4) for m, r in zip(made, [1, 2, 3, 4], strict=True)]
    assert scores(hand_made(), "l2") == expected


def test_geometric_median_is_the_sum_of_distances() -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[0.0, 0.0], [3.0, 4.0], [0.0, 4.0]]))
    # Distances 5 + 4, 5 + 3, 4 + 3 over their mean of 8.
    assert scores(model, "geometric-median") == [1.125, 1.0, 0.875]


def test_apoz_is_the_share_of_live_activations() -> None:
    model = hand_made()
    inputs = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [1.0, 2.0], [0.0, -1.0]])
    # Positive in two, two, one and two of four samples.
    assert scores(model, "apoz", (inputs,)) == [0.5, 0.5, 0.25, 0.5]


def test_activation_mean_is_what_the_next_layer_reads() -> None:
    model = hand_made()
    # One sample (1, 0): activations 4, 0.5, 0, 1 over the mean of those that are not zero.
    mean = 5.5 / 3
    expected = [round(value / mean, 4) for value in (4.0, 0.5, 0.0, 1.0)]
    assert scores(model, "activation-mean", (torch.tensor([[1.0, 0.0]]),)) == expected


def test_taylor_is_gradient_times_weight_squared() -> None:
    model = nn.Sequential(nn.Linear(2, 3, bias=False), nn.Linear(3, 2, bias=False))
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[1.0, 0.0], [2.0, 0.0], [0.0, 5.0]]))
        model[1].weight.copy_(torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]]))
    # Input (1, 0): logits (1, 2); the gradient of the loss with label 0 is (p - 1, p') with p' = 1 - p.
    p = float(torch.softmax(torch.tensor([1.0, 2.0]), 0)[0])
    expected = [round(((p - 1) * 1) ** 2, 4), round(((1 - p) * 2) ** 2, 4), 0.0]
    assert scores(model, "taylor", (torch.tensor([[1.0, 0.0]]), torch.tensor([0]))) == expected


def test_bn_scale_is_the_absolute_scale() -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 1)).eval()
    with torch.no_grad():
        model[1].weight.copy_(torch.tensor([0.5, -2.0, 0.0]))
    assert scores(model, "bn-scale") == [0.5, 2.0, 0.0]


def test_random_depends_on_the_seed_alone() -> None:
    first, again, other = (kept(hand_made(), Prune(amount=0.5, criterion="random"), seed=seed) for seed in (1, 1, 3))
    assert first == again
    assert first != other


def test_a_callable_criterion() -> None:
    found = kept(hand_made(), Prune(amount=0.5), criterion=lambda e: torch.arange(e.coupling.set_count).numpy() * -1.0)
    assert found == {"0.weight": (0, 1), "2.weight": (0, 1)}


def test_uniform_takes_the_same_fraction_everywhere() -> None:
    assert kept(hand_made(), Prune(amount=0.5)) == {"0.weight": (2, 3), "2.weight": (2, 3)}
    assert kept(hand_made(), Prune(amount=0.25)) == {"0.weight": (0, 2, 3), "2.weight": (1, 2, 3)}


def test_global_takes_the_lowest_of_one_ranking() -> None:
    # Scores: first layer 1.0, 0.6, 1.2, 1.2; second (made 1, 2, 3, 4 over 2.5, read 1) 0.7, 0.9, 1.1, 1.3.
    assert kept(hand_made(), Prune(amount=0.25, scope="global")) == {"0.weight": (0, 2, 3), "2.weight": (1, 2, 3)}
    assert kept(hand_made(), Prune(amount=0.375, scope="global")) == {"0.weight": (0, 2, 3), "2.weight": (2, 3)}


def test_local_compares_no_scores_between_layers() -> None:
    # Scales of batch normalisations as they are: 1, 1, 1, 9 over sqrt(84 / 4) = 4.58; 3, 4, 5, 6 over 4.64.
    layers = (nn.Linear(2, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 4), nn.BatchNorm1d(4), nn.ReLU())
    model = nn.Sequential(*layers, nn.Linear(4, 1)).eval()
    with torch.no_grad():
        model[1].weight.copy_(torch.tensor([9.0, 1.0, -1.0, 1.0]))
        model[4].weight.copy_(torch.tensor([3.0, 4.0, 5.0, 6.0]))
    asked = {scope: Prune(amount=0.5, criterion="bn-scale", scope=scope) for scope in ("local", "global")}  # type: ignore[arg-type]
    assert kept(model, asked["local"])["0.weight"] == (0,)
    assert kept(model, asked["local"])["3.weight"] == (1, 2, 3)
    with torch.no_grad():
        model[4].weight.mul_(0.01)
    assert kept(model, asked["local"])["0.weight"] == (0,)
    assert kept(model, asked["global"]) == {
        "0.weight": (0, 2, 3),
        "1.weight": (0, 2, 3),
        "3.weight": (3,),
        "4.weight": (3,),
    }


def test_global_never_wipes_a_layer_out() -> None:
    model = hand_made()
    with torch.no_grad():
        model[0].weight.mul_(1e-6)
    found = kept(model, Prune(amount=0.75, scope="global", criterion="l1"))
    assert all(len(indices) >= 1 for indices in found.values())
    assert sum(len(indices) for indices in found.values()) == 2


def test_literal_masks_hold_everything_coupled() -> None:
    model = hand_made()
    masks = plan_masks(model, make_plan(model, POINT, Prune(amount=0.5)))
    rows = torch.tensor([False, False, True, True])
    assert set(masks) == {"0.weight", "0.bias", "2.weight", "2.bias", "4.weight"}
    assert torch.equal(masks["0.weight"], rows[:, None].expand(4, 2))
    assert torch.equal(masks["0.bias"], rows)
    assert torch.equal(masks["2.weight"], rows[:, None] & rows[None, :])
    assert torch.equal(masks["4.weight"], rows[None, :])


def test_masks_survive_momentum_and_weight_decay() -> None:
    model = zoo.randomised(zoo.ResNet(), dtype=torch.float32).train()
    inputs = (torch.randn(4, 3, 8, 8),)
    masks = plan_masks(model, make_plan(model, inputs, Prune(amount=0.5)))
    optimizer = torch.optim.SGD(model.parameters(), 0.01, momentum=0.9, weight_decay=0.01)
    masks.apply(model)
    for _ in range(3):
        optimizer.zero_grad()
        model(*inputs).square().mean().backward()
        for name, parameter in model.named_parameters():
            if name in masks:
                assert not bool(parameter.grad[~masks[name]].any()), name  # type: ignore[index]
        optimizer.step()
        masks.apply(model)


def test_round_to_and_min_channels() -> None:
    def plan(channels: int, **settings: object) -> int:
        model = nn.Sequential(nn.Conv2d(3, channels, 3), nn.ReLU(), nn.Conv2d(channels, 2, 1))
        made = make_plan(model, (torch.ones(1, 3, 5, 5),), Prune(amount=0.5, **settings))  # type: ignore[arg-type]
        return made.layers[0].after

    assert plan(12, round_to=8) == 8
    assert plan(40, round_to=8) == 24  # 20 lies between 16 and 24: a tie keeps more
    assert plan(64, round_to=16) == 32
    assert plan(12, min_channels=9) == 9


def test_round_to_that_coupling_forbids_is_reported() -> None:
    model = nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU(), nn.Conv2d(6, 2, 1))
    plan = make_plan(model, (torch.ones(1, 3, 5, 5),), Prune(amount=0.5, round_to=8))
    assert plan.layers[0].after == 3
    assert plan.layers[0].pinned == "no removal leaves a multiple of 8 in every coupled layer"


@pytest.mark.parametrize("scope", ["uniform", "local", "global"])
@pytest.mark.parametrize("unit", ["parameters", "macs"])
@pytest.mark.parametrize("amount", [0.5, 11 / 12])
def test_parameters_and_macs_are_reached_from_above(unit: str, scope: str, amount: float) -> None:
    model = zoo.randomised(zoo.LeNet5())
    x = (torch.ones(1, 1, 28, 28, dtype=torch.float64),)
    plan = make_plan(model, x, Prune(amount=amount, unit=unit, scope=scope))  # type: ignore[arg-type]
    before, after = getattr(plan, f"{unit}_before"), getattr(plan, f"{unit}_after")
    assert plan.parameters_before == 431080
    assert plan.macs_before == 24 * 24 * 20 * 25 + 8 * 8 * 50 * 20 * 25 + 800 * 500 + 500 * 10
    assert before * (1 - amount) * 0.96 <= after <= before * (1 - amount)


def test_uniform_takes_the_same_fraction_also_of_layers_that_weigh_little() -> None:
    """A layer with few parameters is not spared because larger ones lose more than enough of them."""
    model = nn.Sequential(nn.Conv2d(1, 10, 3), nn.ReLU(), nn.Flatten(), nn.Linear(10, 300), nn.Linear(300, 10))
    x = (torch.ones(1, 1, 3, 3),)
    plan = make_plan(zoo.randomised(model).float(), x, Prune(amount=0.5, unit="parameters"))
    lost = [1 - layer.after / layer.before for layer in plan.layers[:2]]
    assert abs(lost[0] - lost[1]) <= 0.1 + 1 / 10
    assert plan.parameters_after <= plan.parameters_before / 2


def test_overrides_and_exclusions() -> None:
    model = hand_made()
    plan = make_plan(model, POINT, Prune(amount=0.5, exclude=["0"], override=[Override(pattern="2", amount=0.75)]))
    assert [(layer.after, layer.pinned) for layer in plan.layers] == [
        (4, "excluded by '0'"),
        (1, None),
        (1, "network output"),
    ]


def test_what_is_removed_stays_removed_and_steps_equal_one_go() -> None:
    model = zoo.randomised(zoo.ResNet())
    x = (torch.ones(1, 3, 8, 8, dtype=torch.float64),)
    settings = Prune(amount=0.5, criterion="random")
    first = make_plan(model, x, settings, 0.25, seed=4)
    plan_masks(model, first).apply(model)
    second = make_plan(model, x, settings, 0.5, reference=first, seed=4)
    at_once = make_plan(zoo.randomised(zoo.ResNet()), x, settings, seed=4)
    assert second.kept == at_once.kept
    for name, axes in first.kept.items():
        for axis, indices in axes.items():
            assert set(second.kept[name][axis]) <= set(indices)


def test_a_plan_survives_json() -> None:
    plan = make_plan(zoo.randomised(zoo.LeNet5()), (torch.ones(1, 1, 28, 28, dtype=torch.float64),), Prune(amount=0.5))
    assert Plan.from_json(plan.to_json()) == plan


def test_the_plan_does_not_change_the_model() -> None:
    model = zoo.randomised(zoo.ResNet()).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    prune(model, (torch.randn(2, 3, 8, 8, dtype=torch.float64),), Prune(amount=0.5))
    assert model.training
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (Prune(amount=0.5, exclude=["0", "2"]), "prune: nothing can be removed: 4: network output; 0: excluded by '0'"),
        (Prune(amount=0.05), "prune: the amount is too small to remove a channel anywhere"),
        (Prune(amount=0.5, exclude=["22"]), "prune.exclude: pattern '22' matches no layer; the nearest are 2"),
        (
            Prune(amount=0.5, override=[Override(pattern="convolution*", amount=0.5)]),
            "prune.override: pattern 'convolution*' matches no layer; the nearest are 0, 2, 4",
        ),
        (Prune(amount=0.5, criterion="bn-scale"), "0: criterion 'bn-scale' has nothing to judge it by"),
        (Prune(amount=0.5, criterion="taylor"), "prune.criterion 'taylor' looks at data: give it calibration batches"),
        (Prune(amount=0.99, unit="parameters"), "prune.amount: 0.99 of the parameters cannot be removed, 0.8108 is"),
        (Prune(amount=0.5, granularity="weight"), "single weights have no plan of channels; use weight_masks"),
    ],
)
def test_requests_that_cannot_be_met(settings: Prune, message: str) -> None:
    with pytest.raises(UserError, match=re.escape(message)):
        make_plan(hand_made(), POINT, settings)
