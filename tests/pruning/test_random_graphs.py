"""Both contracts on random graphs: the compact network equals the masked one, and steps equal one go."""

from __future__ import annotations

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from edgeprune.errors import UserError
from edgeprune.pruning import compact, eliminate_dead, make_plan, plan_masks, prune
from edgeprune.recipe import Prune
from tests.pruning.pruning_networks import randomised
from tests.pruning.random_blocks import KINDS


class Graph(nn.Module):
    """Blocks in a row, an optional long skip, a flattened or pooled head; perhaps a second input and output."""

    def __init__(self, kinds: list[str], skip: bool, flat: bool, ends: bool = False) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.late = nn.Linear(6, 8) if ends else None
        channels = 8
        blocks = []
        for kind in kinds:
            block = KINDS[kind](channels)
            channels = block.outputs
            blocks.append(block)
        self.blocks = nn.ModuleList(blocks)
        self.bridge = nn.Conv2d(8, channels, 1) if skip else None
        self.side = nn.Linear(8, 3) if ends else None
        self.flat = flat
        self.head = nn.Linear(channels * (16 if flat else 1), 5)

    def forward(self, x: Tensor, *more: Tensor) -> Tensor | dict[str, Tensor]:
        first = x = self.stem(x)
        if self.late is not None:
            first = x = x + self.late(more[0])[:, :, None, None]
        for block in self.blocks:
            x = block(x)
        if self.bridge is not None:
            x = x + self.bridge(first)
        scores = self.head(x.flatten(1) if self.flat else x.mean((2, 3)))
        return scores if self.side is None else {"scores": scores, "side": self.side(first.amax((2, 3)))}

    def inputs(self) -> tuple[Tensor, ...]:
        return IMAGE if self.late is None else (*IMAGE, NUMBERS)


kinds = st.lists(st.sampled_from(list(KINDS)), min_size=1, max_size=4)
graphs = st.builds(Graph, kinds, st.booleans(), st.booleans(), st.booleans())
few = settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
IMAGE = (torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64),)
NUMBERS = torch.randn(2, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_every_structure_alone_loses_channels_in_all_its_layers(kind: str) -> None:
    result = prune(randomised(Graph([kind], skip=False, flat=False)), IMAGE, Prune(amount=0.5))
    kept = {layer.name: layer.pinned for layer in result.plan.layers if layer.after == layer.before}
    assert kept == {"head": "network output"}
    assert result.plan.notes == ()
    assert result.parity.relative_error < 1e-12


@pytest.mark.slow
@few
@given(graphs, st.integers(0, 3), st.sampled_from([0.25, 0.5, 0.8]), st.sampled_from(["uniform", "global"]))
def test_compact_equals_masked_and_steps_equal_one_go(graph: Graph, seed: int, amount: float, scope: str) -> None:
    model, inputs = randomised(graph, seed), graph.inputs()
    asked = Prune(amount=amount, scope=scope, criterion="random")  # type: ignore[arg-type]
    try:
        at_once = make_plan(model, inputs, asked, seed=seed)
    except UserError as error:
        assert "nothing can be removed" in str(error) or "too small" in str(error)
        return
    try:
        half = make_plan(model, inputs, asked, amount / 2, seed=seed)
    except UserError:
        half = None
    else:
        plan_masks(model, half).apply(model)
    plan = make_plan(model, inputs, asked, reference=half, seed=seed)
    assert plan.kept == at_once.kept
    plan_masks(model, plan).apply(model)
    small = compact(model, plan)
    torch.testing.assert_close(small(*inputs), model(*inputs), rtol=1e-10, atol=1e-10)
    assert sum(parameter.numel() for parameter in small.parameters()) == plan.parameters_after
    # What was masked is dead by its weights alone: the plan can be found again from the masked network.
    assert eliminate_dead(model, inputs).parameters_after <= plan.parameters_after


@pytest.mark.slow
@few
@given(graphs, st.integers(0, 3))
def test_dead_elimination_changes_nothing_but_the_size(graph: Graph, seed: int) -> None:
    model, inputs = randomised(graph, seed), graph.inputs()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            rows = torch.rand(parameter.shape[0], generator=generator) < 0.4
            parameter[rows] = 0
    plan = eliminate_dead(model, inputs)
    small = compact(model, plan)
    torch.testing.assert_close(small(*inputs), model(*inputs), rtol=1e-9, atol=1e-9)
    assert sum(parameter.numel() for parameter in small.parameters()) == plan.parameters_after
