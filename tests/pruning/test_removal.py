"""The compact network computes what the masked one computes, structure by structure."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import fx, nn

from edgeprune.pruning import prune
from edgeprune.recipe import Prune
from tests.pruning import pruning_networks as zoo

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
    "literal-view": (zoo.LiteralView, (2, 1, 28, 28)),
}
AS_GRAPH = {"split", "literal-view"}


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("name", CASES)
def test_compact_equals_masked(name: str, dtype: torch.dtype) -> None:
    make, shape = CASES[name]
    model = zoo.randomised(make(), dtype=dtype)
    inputs = (torch.randn(shape, generator=torch.Generator().manual_seed(1)).to(dtype),)
    result = prune(model, inputs, Prune(amount=0.5))
    assert result.parity.relative_error <= (1e-10 if dtype is torch.float64 else 1e-5)
    assert sum(p.numel() for p in result.compact.parameters()) == result.plan.parameters_after
    assert result.plan.parameters_after < 0.6 * result.plan.parameters_before
    assert type(result.compact).__name__ == type(model).__name__
    assert isinstance(result.compact, fx.GraphModule) == (name in AS_GRAPH)
    assert set(result.compact.state_dict()) == set(model.state_dict())
    dense = model(*inputs)
    assert (dense - result.masked(*inputs)).abs().max() > 1e-3
