"""Both contracts on random graphs: the compact network equals the masked one, and steps equal one go."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from edgeprune.errors import UserError
from edgeprune.pruning import compact, eliminate_dead, make_plan, plan_masks
from edgeprune.recipe import Prune
from tests.pruning.pruning_networks import randomised

BLOCKS = (
    "plain",
    "norm",
    "residual",
    "depthwise",
    "grouped",
    "concat",
    "chunk",
    "shuffle",
    "gate",
    "group-norm",
    "pool",
    "glu",
    "slice",
)


class Block(nn.Module):
    """One structure on an even number of channels."""

    def __init__(self, kind: str, channels: int) -> None:
        super().__init__()
        self.kind = kind
        self.outputs = channels
        conv = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv = conv
        if kind == "norm":
            self.norm: nn.Module = nn.BatchNorm2d(channels)
        elif kind == "group-norm":
            self.norm = nn.GroupNorm(channels // 2, channels)
        elif kind == "depthwise":
            self.conv = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        elif kind == "grouped":
            self.conv = nn.Conv2d(channels, channels, 3, padding=1, groups=2)
        elif kind == "concat":
            self.outputs = 2 * channels
        elif kind == "gate":
            self.gate = nn.Linear(channels, channels)
        elif kind == "glu":
            self.conv = nn.Conv2d(channels, 2 * channels, 1)
        elif kind in ("chunk", "slice"):
            self.narrow = nn.Conv2d(channels // 2, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return getattr(self, f"_{self.kind.replace('-', '_')}")(x)

    def _plain(self, x: Tensor) -> Tensor:
        return F.relu(self.conv(x))

    _depthwise = _grouped = _plain

    def _norm(self, x: Tensor) -> Tensor:
        return F.silu(self.norm(self.conv(x)))

    _group_norm = _norm

    def _residual(self, x: Tensor) -> Tensor:
        return F.relu(x + self.conv(x))

    def _concat(self, x: Tensor) -> Tensor:
        return torch.cat([x, F.relu(self.conv(x))], 1)

    def _chunk(self, x: Tensor) -> Tensor:
        left, right = self.conv(x).chunk(2, 1)
        return self.narrow(left * torch.sigmoid(right))

    def _slice(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        return self.narrow(x[:, : x.shape[1] // 2]) + self.narrow(x[:, x.shape[1] // 2 :])

    def _shuffle(self, x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        return self.conv(x).view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)

    def _gate(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        return x * torch.sigmoid(self.gate(x.mean((2, 3))))[:, :, None, None]

    def _pool(self, x: Tensor) -> Tensor:
        return F.max_pool2d(self.conv(x), 3, 1, 1) + F.avg_pool2d(x, 3, 1, 1)

    def _glu(self, x: Tensor) -> Tensor:
        return F.glu(self.conv(x), 1)


class Graph(nn.Module):
    """Blocks in a row, an optional long skip, and a flattened or pooled head."""

    def __init__(self, kinds: list[str], skip: bool, flat: bool) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        channels = 8
        blocks = []
        for kind in kinds:
            block = Block(kind, channels)
            channels = block.outputs
            blocks.append(block)
        self.blocks = nn.ModuleList(blocks)
        self.bridge = nn.Conv2d(8, channels, 1) if skip else None
        self.flat = flat
        self.head = nn.Linear(channels * (16 if flat else 1), 5)

    def forward(self, x: Tensor) -> Tensor:
        first = x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        if self.bridge is not None:
            x = x + self.bridge(first)
        return self.head(x.flatten(1) if self.flat else x.mean((2, 3)))


graphs = st.builds(Graph, st.lists(st.sampled_from(BLOCKS), min_size=1, max_size=4), st.booleans(), st.booleans())
few = settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
IMAGE = (torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64),)


@pytest.mark.slow
@few
@given(graphs, st.integers(0, 3), st.sampled_from([0.25, 0.5, 0.8]), st.sampled_from(["uniform", "global"]))
def test_compact_equals_masked_and_steps_equal_one_go(graph: Graph, seed: int, amount: float, scope: str) -> None:
    model = randomised(graph, seed)
    asked = Prune(amount=amount, scope=scope, criterion="random")  # type: ignore[arg-type]
    try:
        at_once = make_plan(model, IMAGE, asked, seed=seed)
    except UserError as error:
        assert "nothing can be removed" in str(error) or "too small" in str(error)
        return
    try:
        half = make_plan(model, IMAGE, asked, amount / 2, seed=seed)
    except UserError:
        half = None
    else:
        plan_masks(model, half).apply(model)
    plan = make_plan(model, IMAGE, asked, reference=half, seed=seed)
    assert plan.kept == at_once.kept
    plan_masks(model, plan).apply(model)
    small = compact(model, plan)
    torch.testing.assert_close(small(*IMAGE), model(*IMAGE), rtol=1e-10, atol=1e-10)
    assert sum(parameter.numel() for parameter in small.parameters()) == plan.parameters_after
    # What was masked is dead by its weights alone: the plan can be found again from the masked network.
    assert eliminate_dead(model, IMAGE).parameters_after <= plan.parameters_after


@pytest.mark.slow
@few
@given(graphs, st.integers(0, 3))
def test_dead_elimination_changes_nothing_but_the_size(graph: Graph, seed: int) -> None:
    model = randomised(graph, seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            rows = torch.rand(parameter.shape[0], generator=generator) < 0.4
            parameter[rows] = 0
    plan = eliminate_dead(model, IMAGE)
    small = compact(model, plan)
    torch.testing.assert_close(small(*IMAGE), model(*IMAGE), rtol=1e-9, atol=1e-9)
    assert sum(parameter.numel() for parameter in small.parameters()) == plan.parameters_after
