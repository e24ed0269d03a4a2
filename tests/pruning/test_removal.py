"""The compact network computes what the masked one computes, structure by structure."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import fx, nn

from edgeprune.pruning import prune
from edgeprune.recipe import Prune
from tests.pruning import pruning_networks as zoo
from tests.pruning import pruning_structures as more

CASES: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "lenet5": (zoo.LeNet5, (2, 1, 28, 28)),
    "lenet300": (zoo.lenet300, (2, 1, 28, 28)),
    "depthwise": (zoo.depthwise, (2, 3, 8, 8)),
    "residual": (zoo.ResNet, (2, 3, 8, 8)),
    "concat": (zoo.Concat, (2, 3, 8, 8)),
    "chunk": (zoo.Chunk, (2, 3, 8, 8)),
    "shuffle": (zoo.Shuffle, (2, 3, 8, 8)),
    "squeeze-excite": (zoo.SqueezeExcite, (2, 3, 8, 8)),
    "split": (zoo.Split, (2, 3, 8, 8)),
    "attribute-split": (zoo.AttributeSplit, (2, 3, 8, 8)),
    "literal-view": (zoo.LiteralView, (2, 1, 28, 28)),
    "norms": (more.Norms, (2, 3, 8, 8)),
    "grouped-transpose": (more.GroupedTranspose, (2, 3, 8, 8)),
    "fused-attention": (more.FusedAttention, (2, 3, 8, 8)),
    "grouped-queries": (more.GroupedQueries, (2, 5, 16)),
    "torch-attention": (more.TorchAttention, (2, 5, 16)),
    "shared": (more.Shared, (2, 3, 8, 8)),
    "gated": (more.Gated, (2, 4, 9)),
}
AS_GRAPH = {"split", "literal-view", "torch-attention"}


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("name", CASES)
def test_compact_equals_masked(name: str, dtype: torch.dtype) -> None:
    make, shape = CASES[name]
    model = zoo.randomised(make(), dtype=dtype)
    inputs = (torch.randn(shape, generator=torch.Generator().manual_seed(1)).to(dtype),)
    result = prune(model, inputs, Prune(amount=0.5))
    assert result.parity.relative_error <= (1e-10 if dtype is torch.float64 else 1e-5)
    assert sum(p.numel() for p in result.compact.parameters()) == result.plan.parameters_after
    assert result.plan.parameters_after < 0.7 * result.plan.parameters_before
    assert type(result.compact).__name__ == type(model).__name__
    assert isinstance(result.compact, fx.GraphModule) == (name in AS_GRAPH)
    assert set(result.compact.state_dict()) == set(model.state_dict())
    dense = model(*inputs)
    assert (dense - result.masked(*inputs)).abs().max() > 1e-3


def test_several_inputs_and_outputs() -> None:
    model = zoo.randomised(more.ManyEnds())
    inputs = (torch.randn(2, 4, 6, dtype=torch.float64), torch.randn(2, 2, 3, 3, 3, dtype=torch.float64))
    result = prune(model, inputs, Prune(amount=0.5))
    assert {layer.name: layer.after for layer in result.plan.layers} == {
        "line": 6,
        "volume": 6,
        "mixed": 5,
        "head": 3,
        "side": 2,
    }
    assert result.parity.relative_error < 1e-12


def test_a_graph_runs_other_batch_sizes_and_trains() -> None:
    model = zoo.randomised(zoo.LiteralView())
    result = prune(model, (torch.randn(1, 1, 28, 28, dtype=torch.float64),), Prune(amount=0.5))
    assert isinstance(result.compact, fx.GraphModule)
    x = torch.randn(7, 1, 28, 28, dtype=torch.float64)
    torch.testing.assert_close(result.compact(x), result.masked(x))
    result.compact.train()
    result.compact(x).square().sum().backward()
    assert all(p.grad is not None and p.grad.shape == p.shape for p in result.compact.parameters())


def test_a_graph_is_pruned_again() -> None:
    x = (torch.randn(2, 1, 28, 28, dtype=torch.float64),)
    first = prune(zoo.randomised(zoo.LiteralView()), x, Prune(amount=0.5))
    second = prune(first.compact, x, Prune(amount=0.5))
    assert [layer.after for layer in second.plan.layers] == [5, 13, 125, 10]
    assert second.plan.parameters_before == first.plan.parameters_after
    assert second.parity.relative_error < 1e-12


def test_a_graph_keeps_what_only_training_does() -> None:
    model = zoo.randomised(more.StochasticDepth())
    x = torch.randn(2, 3, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    result = prune(model, (x,), Prune(amount=0.5))
    assert isinstance(result.compact, fx.GraphModule)
    evaluated = result.compact(x)
    result.compact.train()
    result.masked.train()
    trained = result.compact(x)
    torch.testing.assert_close(trained, result.masked(x))
    assert (trained - evaluated).abs().max() > 1e-3
    again = prune(result.compact.eval(), (x,), Prune(amount=0.5)).compact
    again.train()
    assert (again(x) - again.eval()(x)).abs().max() > 1e-3


def test_a_graph_follows_a_cast() -> None:
    model = zoo.randomised(zoo.LiteralView(), dtype=torch.float32)
    x = torch.randn(2, 1, 28, 28, generator=torch.Generator().manual_seed(1))
    result = prune(model, (x,), Prune(amount=0.5))
    assert isinstance(result.compact, fx.GraphModule)
    wide = result.compact.double()(x.double())
    torch.testing.assert_close(wide, result.masked.double()(x.double()), rtol=1e-12, atol=1e-12)
