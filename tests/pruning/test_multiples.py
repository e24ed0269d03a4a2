"""`round_to`: which multiple is taken, and that a layer left with none says so."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from edgeprune.pruning import make_plan
from edgeprune.recipe import Prune


def left(channels: int, amount: float, **settings: object) -> int:
    model = nn.Sequential(nn.Conv2d(3, channels, 3), nn.ReLU(), nn.Conv2d(channels, 2, 1))
    asked = Prune(amount=amount, **settings)  # type: ignore[arg-type]
    return make_plan(model, (torch.ones(1, 3, 5, 5),), asked).layers[0].after


@pytest.mark.parametrize("multiple", [1, 4, 8, 16])
def test_every_multiple_is_honoured(multiple: int) -> None:
    # 60 channels, 0.45 of them: 33 are left, or the multiple nearest to that.
    assert left(60, 0.45, round_to=multiple) == {1: 33, 4: 32, 8: 32, 16: 32}[multiple]
    if multiple > 1:
        assert left(60, 0.45, round_to=multiple, rounding="up") == {4: 36, 8: 40, 16: 48}[multiple]
        assert left(60, 0.45, round_to=multiple, rounding="down") == 32


def test_where_no_multiple_lies_on_the_side_asked_for_the_nearest_is_taken() -> None:
    assert left(12, 0.2, round_to=8, rounding="up") == 8  # 9.6 rounded up would be 16 of 12
    assert left(20, 0.9, round_to=16, rounding="down") == 16  # 2 rounded down would be none


def test_a_layer_that_stays_whole_says_why() -> None:
    layers = (nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 40), nn.ReLU(), nn.Linear(40, 2))

    def reasons(**settings: object) -> list[str | None]:
        asked = Prune(amount=0.1, **settings)  # type: ignore[arg-type]
        return [layer.pinned for layer in make_plan(nn.Sequential(*layers), (torch.ones(1, 2),), asked).layers]

    assert reasons() == [None, None, "network output"]
    assert reasons(round_to=4) == ["the amount takes nothing of it in multiples of round_to", None, "network output"]
    assert reasons(override=[{"pattern": "0", "amount": 0.0}])[0] == "the amount takes nothing of it"
    assert reasons(min_channels=8)[0] == "min_channels or a coupled layer leaves nothing to remove"


class Joined(nn.Module):
    """A depthwise filter over what two layers make, one of which keeps its six channels."""

    def __init__(self) -> None:
        super().__init__()
        self.kept, self.cut = nn.Conv2d(3, 6, 1), nn.Conv2d(3, 8, 1)
        self.filters, self.last = nn.Conv2d(14, 14, 3, groups=14), nn.Conv2d(14, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        joined: Tensor = self.last(self.filters(torch.cat([self.kept(x), self.cut(x)], dim=1)))
        return joined


def test_a_layer_left_with_no_multiple_says_so() -> None:
    plan = make_plan(Joined(), (torch.ones(1, 3, 5, 5),), Prune(amount=0.5, round_to=4, exclude=["kept"]))
    assert {layer.name: (layer.before, layer.after, layer.pinned) for layer in plan.layers} == {
        "kept": (6, 6, "excluded by 'kept'"),
        "cut": (8, 4, None),
        "filters": (14, 10, "10 is no multiple of 4: the layers it is coupled with forbid one"),
        "last": (2, 2, "network output"),
    }
