"""Thresholds of quality x standard deviation: the scan, the qualities chosen from it, the masks."""

from __future__ import annotations

import copy
import math
import re

import numpy as np
import pytest
import torch
from torch import nn

from edgeprune.errors import UserError
from edgeprune.pruning import Masks, sensitivity_scan, weight_masks
from edgeprune.pruning.criteria.han import choose_qualities
from edgeprune.pruning.sensitivity import LayerCurve, Point, Spread, spread
from edgeprune.recipe import Override, Prune


def hand_made() -> nn.Sequential:
    """Two layers whose weights come in pairs of either sign, so that their means are 0 or near it."""
    model = nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2), nn.Linear(2, 4))
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[1.0, -1.0], [3.0, -3.0]]))
        model[2].weight.copy_(torch.tensor([[-2.0, 0.25], [-0.25, 0.5], [-0.5, 0.75], [-0.75, 2.0]]))
    return model


def live_share(model: nn.Module) -> float:
    """A measure: half a point for the first layer's live weights, a tenth for the second's."""
    first, second = (int(torch.count_nonzero(model.get_parameter(f"{layer}.weight"))) for layer in (0, 2))
    return 0.5 * first / 4 + 0.1 * second / 8


def settings(amount: float, **more: object) -> Prune:
    return Prune.model_validate({"amount": amount, "granularity": "weight", "criterion": "han", **more})


def test_curves_by_hand() -> None:
    model = hand_made()
    before = copy.deepcopy(model.state_dict())
    first, second = sensitivity_scan(model, live_share, qualities=[0.5, 1.0, 2.0])
    deviation = math.sqrt(5)
    assert (first.layer, first.parameter, first.deviation) == ("0", "0.weight", pytest.approx(deviation))
    # Thresholds 1.118 and, at most, 3: the largest weights always live.
    assert [(point.quality, point.pruned, point.value) for point in first.points] == [
        (0.0, 0.0, 0.6),
        (0.5, 0.5, 0.35),
        (1.0, 0.5, 0.35),
        (pytest.approx(3 / deviation), 0.5, 0.35),
    ]
    deviation = math.sqrt((2 * 4 + 2 * (0.0625 + 0.25 + 0.5625)) / 8)
    assert second.deviation == pytest.approx(deviation)
    assert [(point.quality, point.pruned, point.value) for point in second.points] == [
        (0.0, 0.0, pytest.approx(0.6)),
        (0.5, 0.5, pytest.approx(0.55)),
        (1.0, 0.75, pytest.approx(0.525)),
        (pytest.approx(2 / deviation), 0.75, pytest.approx(0.525)),
    ]
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_a_scan_goes_on_from_what_is_gone() -> None:
    model = hand_made()
    gone = Masks({"0.weight": torch.tensor([[0, 1], [1, 1]])})
    gone.apply(model)
    (curve,) = sensitivity_scan(model, live_share, layers=["0"], qualities=[1.0], reference=gone)
    values = np.array([-1.0, 3.0, -3.0])
    assert curve.deviation == pytest.approx(values.std())
    assert [(point.quality, point.pruned) for point in curve.points] == [
        (0.0, 0.25),
        (1.0, 0.5),
        (pytest.approx(3 / values.std()), 0.5),
    ]


def test_a_failing_measure_leaves_the_network_as_it_was() -> None:
    model = hand_made()
    before = copy.deepcopy(model.state_dict())
    calls = []

    def fail(network: nn.Module) -> float:
        calls.append(network)
        if len(calls) == 3:
            raise RuntimeError("measure")
        return 1.0

    with pytest.raises(RuntimeError):
        sensitivity_scan(model, fail)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def line(name: str, points: list[tuple[float, float]]) -> LayerCurve:
    return LayerCurve(name, name, 1.0, tuple(Point(quality, 0.0, value) for quality, value in points))


def even(count: int) -> Spread:
    """Magnitudes at the middles of ``count`` steps up to 2, with deviation 1: quality / 2 of them die."""
    return Spread((np.arange(count) + 0.5) * 2 / count, np.ones(count, dtype=np.bool_), 1.0)


def test_layers_that_lose_nothing_share_one_quality() -> None:
    curves = [line("a", [(0, 0.9), (1, 0.9), (2, 0.9)]), line("b", [(0, 0.9), (1, 0.9), (2, 0.9)])]
    found = choose_qualities(curves, {"a": even(1000), "b": even(3000)}, 0.25)
    assert found == pytest.approx({"a": 0.5, "b": 0.5}, abs=1e-3)


def test_a_sensitive_layer_is_spared() -> None:
    """Losses of 0.1 and 0.02 per unit of quality, and 0.001 for the quality itself."""
    curves = [line("a", [(0, 0.9), (2, 0.7)]), line("b", [(0, 0.9), (2, 0.86)])]
    found = choose_qualities(curves, {"a": even(1000), "b": even(1000)}, 0.4)
    # q_a + q_b = 1.6 meets the amount, at one level: 0.101 q_a = 0.021 q_b.
    assert found == pytest.approx({"a": 1.6 * 0.021 / 0.122, "b": 1.6 * 0.101 / 0.122}, abs=2e-3)


def test_a_measurement_that_goes_up_again_counts_as_lost() -> None:
    curves = [line("a", [(0, 0.9), (1, 0.8), (2, 0.9)]), line("b", [(0, 0.9), (2, 0.9)])]
    found = choose_qualities(curves, {"a": even(1000), "b": even(1000)}, 0.6)
    # All of b and a fifth of a, where the loss is on its way up: what comes back at 2 is chance.
    assert found == pytest.approx({"a": 0.4, "b": 2.0}, abs=2e-3)


def test_an_amount_no_threshold_reaches() -> None:
    same = Spread(np.ones(10), np.ones(10, dtype=np.bool_), 0.0)
    with pytest.raises(UserError, match=r"^prune\.amount: thresholds can hold 0 of 10 weights at zero, not 5$"):
        choose_qualities([line("a", [(0, 0.9)])], {"a": same}, 0.5)


def network() -> nn.Sequential:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(20, 30), nn.ReLU(), nn.Linear(30, 30), nn.ReLU(), nn.Linear(30, 5))


def agreement(model: nn.Module) -> float:
    reference = network()
    samples = torch.randn(200, 20, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        return float((model(samples).argmax(1) == reference(samples).argmax(1)).double().mean())


@pytest.mark.parametrize("amount", [0.1, 0.5, 0.9, 0.99])
def test_the_amount_is_met_to_the_weight(amount: float) -> None:
    masks = weight_masks(network(), settings(amount), measure=agreement)
    assert masks.total == 1650
    assert masks.total - masks.live == int(1650 * amount + 0.5)
    assert all(bool(mask.any()) for mask in masks.values())


def test_each_layer_is_cut_off_at_one_threshold() -> None:
    model = network()
    masks = weight_masks(model, settings(0.6), measure=agreement)
    densities = []
    for name, mask in masks.items():
        magnitudes = model.get_parameter(name).detach().abs()
        assert magnitudes[~mask].max() < magnitudes[mask].min()
        densities.append(float(mask.double().mean()))
    assert len({round(density, 2) for density in densities}) > 1


def test_masks_only_shrink_and_overrides_have_their_own_fraction() -> None:
    model = network()
    asked = settings(0.8, override=[Override(pattern="4", amount=0.4)], exclude=["0"])
    first = weight_masks(model, asked, 0.4, measure=agreement)
    first.apply(model)
    second = weight_masks(model, asked, reference=first, measure=agreement)
    assert second.within(first)
    assert {name: int((~mask).sum()) for name, mask in first.items()} == {"2.weight": 360, "4.weight": 30}
    assert {name: int((~mask).sum()) for name, mask in second.items()} == {"2.weight": 720, "4.weight": 60}


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"granularity": "channel"}, "criterion 'han' is a threshold for single weights"),
        ({"scope": "global"}, "scope does nothing when criterion is 'han'; remove it"),
    ],
)
def test_keys_that_do_not_go_with_it(keys: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        settings(0.5, **keys)


def test_refusals() -> None:
    with pytest.raises(
        UserError, match=r"^prune\.criterion 'han' scans how sensitive each layer is: give it a measure"
    ):
        weight_masks(hand_made(), settings(0.5))
    with pytest.raises(UserError, match=re.escape("sensitivity scan: no layer '1' with weights; there are 0, 2")):
        sensitivity_scan(hand_made(), live_share, layers=["1"])
    with pytest.raises(UserError, match=re.escape("sensitivity scan: qualities must be positive, not -1")):
        sensitivity_scan(hand_made(), live_share, qualities=[1.0, -1.0])


def test_spread_of_what_lives() -> None:
    found = spread(nn.Parameter(torch.tensor([[1.0, -2.0], [4.0, 0.0]])), np.array([True, True, True, False]))
    assert found.deviation == pytest.approx(np.array([1.0, -2.0, 4.0]).std())
    assert found.dead(0.5).tolist() == [True, False, False, True]
    assert found.dead(found.largest_quality).tolist() == [True, True, False, True]
