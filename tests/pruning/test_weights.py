"""Masks over single weights: literal ones, shrinking ones, and refusals."""

from __future__ import annotations

import re

import pytest
import torch
from torch import nn

from edgeprune.errors import UserError
from edgeprune.pruning import Masks, weight_masks
from edgeprune.recipe import Override, Prune


def hand_made() -> nn.Sequential:
    model = nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2), nn.Linear(2, 2))
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[1.0, -4.0], [3.0, -2.0]]))
        model[2].weight.copy_(torch.tensor([[0.1, 0.2], [-0.4, 0.3]]))
    return model


def settings(amount: float, **more: object) -> Prune:
    return Prune(amount=amount, granularity="weight", **more)  # type: ignore[arg-type]


def lists(masks: Masks) -> dict[str, list[list[int]]]:
    return {name: mask.int().tolist() for name, mask in masks.items()}


def test_uniform_masks_every_layer_alike() -> None:
    masks = weight_masks(hand_made(), settings(0.5))
    assert lists(masks) == {"0.weight": [[0, 1], [1, 0]], "2.weight": [[0, 0], [1, 1]]}
    assert (masks.live, masks.total) == (4, 8)


def test_global_masks_by_one_ranking_but_wipes_no_layer_out() -> None:
    assert lists(weight_masks(hand_made(), settings(0.5, scope="global"))) == {
        "0.weight": [[0, 1], [1, 1]],
        "2.weight": [[0, 0], [1, 0]],
    }


def uneven(first: list[float], second: list[float]) -> nn.Sequential:
    model = hand_made()
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor(first).reshape(2, 2))
        model[2].weight.copy_(torch.tensor(second).reshape(2, 2))
    return model


def test_local_cuts_each_layer_at_one_multiple_of_its_own_root_mean_square() -> None:
    # Root mean squares: sqrt(84 / 4) = 4.58 and sqrt(0.86 / 4) = 0.464; 0.3 is 0.65 of its own, 1 is 0.22 of its own.
    model = uneven([1.0, -1.0, 1.0, -9.0], [0.3, 0.4, 0.5, 0.6])
    assert lists(weight_masks(model, settings(0.5, scope="local"))) == {
        "0.weight": [[0, 0], [0, 1]],
        "2.weight": [[0, 1], [1, 1]],
    }
    assert lists(weight_masks(model, settings(0.5, scope="global"))) == {
        "0.weight": [[0, 1], [1, 1]],
        "2.weight": [[0, 0], [0, 1]],
    }


def test_local_judges_by_what_still_lives() -> None:
    # Beside the dead 9 the first layer's root mean square is sqrt(3 / 3) = 1, so that its weights stand at 1.
    model = uneven([1.0, -1.0, 1.0, -9.0], [0.3, 0.4, 0.5, 0.6])
    reference = Masks({"0.weight": torch.tensor([[True, True], [True, False]])})
    assert lists(weight_masks(model, settings(0.375, scope="local"), reference=reference)) == {
        "0.weight": [[1, 1], [1, 0]],
        "2.weight": [[0, 0], [1, 1]],
    }


def test_local_does_not_see_the_scale_of_a_layer() -> None:
    model = uneven([1.0, -1.0, 1.0, -9.0], [0.3, 0.4, 0.5, 0.6])
    before = lists(weight_masks(model, settings(0.5, scope="local")))
    with torch.no_grad():
        model[2].weight.mul_(1000)
    assert lists(weight_masks(model, settings(0.5, scope="local"))) == before


def test_overrides_and_exclusions() -> None:
    half = settings(0.5, exclude=["0"], override=[Override(pattern="2", amount=0.25)])
    assert lists(weight_masks(hand_made(), half)) == {"2.weight": [[0, 1], [1, 1]]}


def test_masks_only_shrink() -> None:
    model = hand_made()
    first = weight_masks(model, settings(0.5), 0.25)
    first.apply(model)
    with torch.no_grad():
        model[0].weight.add_(10 * (model[0].weight == 0))  # a masked weight must not come back, however large
    second = weight_masks(model, settings(0.5), reference=first)
    assert second.within(first)
    assert not first.within(second)
    assert second.live == 4


def test_taylor_and_random() -> None:
    batch = (torch.tensor([[1.0, 2.0]]), torch.tensor([1]))
    taylor = weight_masks(hand_made(), settings(0.5, criterion="taylor"), calibration=[batch])
    assert taylor.live == 4
    first, again, other = (weight_masks(hand_made(), settings(0.5, criterion="random"), seed=s) for s in (0, 0, 3))
    assert lists(first) == lists(again) != lists(other)


def test_apply_zeroes_in_place() -> None:
    model = hand_made()
    weight_masks(model, settings(0.5)).apply(model)
    assert model[0].weight.tolist() == [[0.0, -4.0], [3.0, 0.0]]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (settings(0.5, criterion="apoz"), "prune.criterion: 'apoz' cannot judge single weights; use l1, l2"),
        (settings(0.5).model_copy(update={"unit": "macs"}), "prune.unit: 'macs' does not apply to single weights"),
        (settings(0.5, exclude=["7"]), "prune.exclude: pattern '7' matches no layer; the nearest are"),
        (settings(0.1), "prune: the amount is too small to hold a single weight at zero"),
        (settings(0.5, criterion="taylor"), "give it calibration batches"),
    ],
)
def test_requests_that_cannot_be_met(asked: Prune, message: str) -> None:
    with pytest.raises(UserError, match=re.escape(message)):
        weight_masks(hand_made(), asked)


def test_a_mask_must_be_binary_and_fit() -> None:
    with pytest.raises(UserError, match="mask of w: it must hold 0 and 1 only"):
        Masks({"w": torch.tensor([0.0, 0.5])})
    with pytest.raises(UserError, match=re.escape("mask of 0.weight: its shape is (3,), the parameter is (2, 2)")):
        Masks({"0.weight": torch.ones(3)}).apply(hand_made())
