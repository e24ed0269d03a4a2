"""Rows and columns of single layers held at zero: literal masks, and what of the network dies with them."""

from __future__ import annotations

import re

import pytest
import torch
from torch import Tensor, nn

from edgeprune.errors import UserError
from edgeprune.pruning import Masks, compact, eliminate_dead, prune, trace_coupling, weight_masks
from edgeprune.pruning.weight_scores import WeightEvidence
from edgeprune.recipe import Prune

POINT = (torch.ones(1, 2),)


def hand_made() -> nn.Sequential:
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[3.0, -3.0], [0.0, 5.0], [1.0, 2.0]]))
        model[2].weight.copy_(torch.tensor([[1.0, 9.0, 1.0], [2.0, 0.0, 0.1], [4.0, 3.0, 3.0], [1.0, 1.0, 0.0]]))
        model[4].weight.copy_(torch.tensor([[1.0, 2.0, 3.0, 4.0], [4.0, 3.0, 2.0, 0.5]]))
        for place in (0, 2, 4):
            model[place].bias.copy_(torch.linspace(-0.5, 0.4, len(model[place].bias)))
    return model


def masked(granularity: str, amount: float, **more: object) -> dict[str, list[list[int]]]:
    model = hand_made()
    asked = Prune(amount=amount, granularity=granularity, **more)  # type: ignore[arg-type]
    masks = weight_masks(model, asked, coupling=trace_coupling(model, POINT))
    return {name: mask.int().tolist() for name, mask in masks.items()}


def test_rows_go_by_their_mean_and_those_that_make_outputs_stay() -> None:
    # Means of magnitudes: 3, 2.5, 1.5; 11/3, 0.7, 10/3, 2/3.
    assert masked("row", 0.5) == {
        "0.weight": [[1, 1], [0, 0], [0, 0]],
        "2.weight": [[1, 1, 1], [0, 0, 0], [1, 1, 1], [0, 0, 0]],
    }


def test_l2_rows_go_by_their_root_mean_square() -> None:
    # Root mean squares: 3, sqrt(12.5), sqrt(2.5).
    assert masked("row", 0.34, criterion="l2")["0.weight"] == [[1, 1], [1, 1], [0, 0]]
    assert masked("row", 0.6, criterion="l2")["0.weight"] == [[0, 0], [1, 1], [0, 0]]


def test_columns_are_what_one_input_gives_the_last_layers_included() -> None:
    assert masked("column", 0.5) == {
        "0.weight": [[0, 1], [0, 1], [0, 1]],
        "2.weight": [[0, 1, 0], [0, 1, 0], [0, 1, 0], [0, 1, 0]],
        "4.weight": [[0, 1, 1, 0], [0, 1, 1, 0]],
    }


def test_a_ranking_over_layers_counts_the_weights_of_each_row() -> None:
    # 2/3 and 0.7 (of 3 weights each), 1.5 (of 2): a third of 18 weights are two rows, a fifth are nearest to one.
    assert masked("row", 1 / 3, scope="global") == {
        "0.weight": [[1, 1], [1, 1], [1, 1]],
        "2.weight": [[1, 1, 1], [0, 0, 0], [1, 1, 1], [0, 0, 0]],
    }
    assert sum(sum(row) == 0 for row in masked("row", 0.2, scope="global")["2.weight"]) == 1


def test_what_an_earlier_mask_holds_stays_also_inside_a_row() -> None:
    model = hand_made()
    reference = Masks({"2.weight": torch.tensor([[True, False, True]] * 4)})
    masks = weight_masks(
        model, Prune(amount=0.5, granularity="row"), reference=reference, coupling=trace_coupling(model, POINT)
    )
    assert masks["2.weight"].int().tolist() == [[1, 0, 1], [0, 0, 0], [1, 0, 1], [0, 0, 0]]


def test_a_transposed_convolution_stores_rows_and_columns_the_other_way_round() -> None:
    model = nn.Sequential(nn.ConvTranspose2d(2, 3, 2), nn.Flatten(), nn.Linear(27, 1))
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([1.0, 2.0, 3.0])[None, :, None, None].expand(2, 3, 2, 2))
    coupling = trace_coupling(model, (torch.ones(1, 2, 2, 2),))
    masks = weight_masks(model, Prune(amount=0.4, granularity="row"), coupling=coupling)
    assert masks["0.weight"][:, :, 0, 0].int().tolist() == [[0, 1, 1], [0, 1, 1]]
    assert masks["0.weight"].shape == (2, 3, 2, 2)


@pytest.mark.parametrize(("granularity", "left"), [("row", (2, 2)), ("column", (1, 1))])
def test_what_dies_with_them_leaves_the_network(granularity: str, left: tuple[int, int]) -> None:
    # Of the two columns left of the last layer one reads a neuron whose only weight left is zero: it is constant.
    model = hand_made().double().eval()
    inputs = (torch.randn(5, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64),)
    asked = Prune(amount=0.5 if granularity == "column" else 0.4, granularity=granularity)  # type: ignore[arg-type]
    weight_masks(model, asked, coupling=trace_coupling(model, inputs)).apply(model)
    small = compact(model, eliminate_dead(model, inputs))
    assert (small[0].out_features, small[2].out_features) == left
    torch.testing.assert_close(small(*inputs), model(*inputs), rtol=1e-12, atol=1e-12)


def test_rows_need_to_know_the_outputs() -> None:
    with pytest.raises(UserError, match=re.escape("prune.granularity 'row': give coupling=trace_coupling")):
        weight_masks(hand_made(), Prune(amount=0.5, granularity="row"))


def smallest_last(evidence: WeightEvidence) -> dict[str, Tensor]:
    return {name: -parameter.abs() for name, parameter in evidence.parameters.items()}


def test_a_criterion_of_the_users_own() -> None:
    model = hand_made()
    masks = weight_masks(model, Prune(amount=0.5, granularity="weight"), criterion=smallest_last)
    assert masks["0.weight"].int().tolist() == [[0, 0], [1, 0], [1, 1]]
    again = weight_masks(model, Prune(amount=0.5, granularity="weight"), reference=masks, criterion=smallest_last)
    assert all(torch.equal(again[name], masks[name]) for name in masks)


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ({"0.weight": torch.ones(3, 2)}, "must return a dictionary with a tensor for each of 0.weight, 2.weight"),
        ([1.0], "must return a dictionary with a tensor for each of 0.weight, 2.weight"),
        ({"0.weight": torch.ones(2, 3), "2.weight": torch.ones(4, 3)}, "returned scores of shape (2, 3)"),
        ({"0.weight": torch.ones(3, 2), "2.weight": torch.full((4, 3), torch.inf)}, "scores that are infinite"),
        ({"0.weight": torch.tensor([[1, 2], [3, 4], [5, torch.nan]]), "2.weight": torch.ones(4, 3)}, "returned nan"),
        ({"0.weight": "large", "2.weight": torch.ones(4, 3)}, "returned str"),
    ],
)
def test_what_a_criterion_returns_is_checked(found: object, message: str) -> None:
    with pytest.raises(UserError, match=re.escape(message)):
        asked = Prune(amount=0.5, granularity="weight", exclude=["4"])
        weight_masks(hand_made(), asked, criterion=lambda evidence: found)  # type: ignore[arg-type,return-value]


@pytest.mark.parametrize("granularity", ["weight", "row", "column"])
def test_one_call_gives_masks_the_masked_network_and_what_is_left_of_it(granularity: str) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layers = (nn.Linear(6, 40), nn.ReLU(), nn.Linear(40, 30), nn.ReLU(), nn.Linear(30, 2))
        model = nn.Sequential(*layers).double()
    inputs = (torch.randn(5, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64),)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    result = prune(model, inputs, Prune(amount=0.9, granularity=granularity, scope="global"))  # type: ignore[arg-type]
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    for name, mask in result.masks.items():
        assert torch.equal(result.masked.get_parameter(name), torch.where(mask, before[name], 0.0))
    assert result.parity.relative_error < 1e-10
    assert result.plan.parameters_after == sum(value.numel() for value in result.compact.parameters())
    assert result.plan.parameters_after < result.plan.parameters_before


def test_one_call_with_thresholds_from_a_scan() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(6, 40), nn.ReLU(), nn.Linear(40, 4))
        inputs = (torch.randn(50, 6),)
    wanted = model(*inputs).argmax(1)
    asked = Prune(amount=0.5, granularity="weight", criterion="han")
    result = prune(model, inputs, asked, measure=lambda network: float((network(*inputs).argmax(1) == wanted).sum()))
    assert result.masks.live == (6 * 40 + 40 * 4) // 2
    with pytest.raises(UserError, match="give it a measure, such as accuracy"):
        prune(model, inputs, asked)
