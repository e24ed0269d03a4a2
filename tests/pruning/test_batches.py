from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgeprune.pruning import compact, make_plan, plan_masks
from edgeprune.pruning.batches import Linear, Unlike, batch_of, with_batch
from edgeprune.recipe import Prune


def test_a_line_goes_through_two_sizes() -> None:
    assert Linear.through((1, 2), (64, 128)) == Linear(64, 0)
    assert Linear.through((2, 4), (5, 9)) == Linear(2, 1)
    with pytest.raises(Unlike):
        Linear.through((2, 4), (5, 8))


def test_a_batch_is_an_axis_that_all_inputs_share() -> None:
    assert batch_of((torch.zeros(3, 2), torch.zeros(3))) == 3
    assert batch_of((torch.zeros(3, 2), torch.zeros(4))) is None
    assert batch_of((torch.zeros(3), torch.zeros(()))) is None
    assert with_batch((torch.tensor([1, 2]),), 5)[0].tolist() == [1, 2, 1, 2, 1]


class Windows(nn.Module):
    """Attention inside windows whose number is a multiple of the batch; one size is written down nowhere else."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv, self.project = nn.Linear(16, 48), nn.Linear(16, 16)
        self.unread = nn.Parameter(torch.ones(2))
        self.classify = nn.Linear(16, 5)

    def forward(self, x: Tensor) -> Tensor:
        batch = x.shape[0]
        tokens = x.view(batch * 4, 6, 16)
        q, k, v = self.qkv(tokens).reshape(batch * 4, 6, 3, 4, 16 // 4).permute(2, 0, 3, 1, 4)
        attended = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(batch * 4, 6, 16)
        return self.classify(self.project(attended).view(batch, 24, 16).mean(1) + torch.zeros(batch + 1, 16)[:batch])


def _small(model: nn.Module, example: Tensor) -> tuple[nn.Module, nn.Module]:
    plan = make_plan(model, (example,), Prune(amount=0.5))
    plan_masks(model, plan).apply(model)
    return model, compact(model, plan)


@pytest.mark.parametrize("traced", [1, 2])
def test_a_graph_takes_every_batch_size_whatever_it_was_traced_with(traced: int) -> None:
    torch.manual_seed(0)
    masked, small = _small(Windows().double(), torch.randn(traced, 24, 16, dtype=torch.float64))
    assert isinstance(small, torch.fx.GraphModule)
    assert small.qkv.weight.shape[0] < 48
    for batch in (1, 2, 5):
        x = torch.randn(batch, 24, 16, dtype=torch.float64)
        torch.testing.assert_close(small(x), masked(x), rtol=0, atol=1e-12)


def test_a_graph_keeps_the_parameters_no_operator_reads() -> None:
    masked, small = _small(Windows().double(), torch.randn(1, 24, 16, dtype=torch.float64))
    assert small.state_dict().keys() == masked.state_dict().keys()


class Fixed(nn.Module):
    """A network for a single batch size."""

    def __init__(self, finish: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.one, self.two, self.finish = nn.Linear(8, 12), nn.Linear(12, 3), finish

    def forward(self, x: Tensor) -> Tensor:
        return self.two(F.relu(self.finish(self.one(x))))


def test_a_network_for_one_batch_size_is_shrunk_for_that_one() -> None:
    torch.manual_seed(0)
    masked, small = _small(Fixed(lambda y: y.reshape(2, 12)).double(), torch.randn(2, 8, dtype=torch.float64))
    x = torch.randn(2, 8, dtype=torch.float64)
    assert isinstance(small, torch.fx.GraphModule) and small.one.weight.shape == (6, 8)
    torch.testing.assert_close(small(x), masked(x), rtol=0, atol=1e-12)
