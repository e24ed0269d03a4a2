from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from edgeprune.errors import ParityError
from edgeprune.pruning.verify import check_equal, check_exact


class Cancelling(nn.Module):
    """A sum of large numbers that leaves a small one, in this order or another: all of it is rounding in float32."""

    def __init__(self, order: list[int]) -> None:
        super().__init__()
        self.terms = nn.Parameter(torch.tensor([1e6, 3.3, -1e6, 0.123]))
        self.order = order

    def forward(self, x: Tensor) -> Tensor:
        total = torch.zeros_like(x)
        for place in self.order:
            total = total + self.terms[place] * x
        return total


def test_rounding_is_told_from_a_mistake_in_double_precision() -> None:
    one, other = Cancelling([0, 1, 2, 3]), Cancelling([0, 2, 1, 3])
    inputs = (torch.full((2,), 1.1),)
    with pytest.raises(ParityError):
        check_equal(one, other, inputs, "one | other")
    check_exact(one, other, inputs, "one | other")
    assert one.terms.dtype is torch.float32
    wrong = copy.deepcopy(other)
    with torch.no_grad():
        wrong.terms[3] += 1e-3
    with pytest.raises(ParityError, match="in float64"):
        check_exact(one, wrong, inputs, "one | other")
