"""What only training does: kept where a module or a dropout does it, named in the plan where a graph loses it."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from edgeprune.pruning import Plan, compact, compact_like, make_plan, plan_masks, prune, training_notes
from edgeprune.recipe import Prune
from tests.pruning import pruning_networks as zoo

IMAGE = (torch.randn(2, 3, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1)),)


class _Written(nn.Module):
    """A network whose size stands in its code, so that it becomes a graph; subclasses say what happens between."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)
        self.norm, self.fc = nn.BatchNorm2d(8), nn.Linear(8 * 64, 5)

    def between(self, x: Tensor) -> Tensor:
        return x

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.norm(self.two(self.between(F.relu(self.one(x))))))
        return self.fc(x.view(-1, 512))


class Plain(_Written):
    pass


class Drops(_Written):
    """Every dropout of torch, as a module and as a function."""

    def __init__(self) -> None:
        super().__init__()
        self.drops = nn.Sequential(nn.Dropout2d(0.3), nn.AlphaDropout(0.2), nn.FeatureAlphaDropout(0.2))

    def between(self, x: Tensor) -> Tensor:
        x = F.dropout2d(self.drops(x), 0.3, training=self.training)
        return F.alpha_dropout(F.dropout(x, 0.1, training=self.training), 0.1, training=self.training)


class DropsPath(_Written):
    """Counts its steps besides, in one buffer in place and in one anew."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("steps", torch.zeros(1))
        self.register_buffer("share", torch.zeros(3).expand(2, 3))

    def between(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        self.steps += 1
        self.share = self.share + 0.5
        return x * torch.bernoulli(torch.full((x.shape[0], 1, 1, 1), 0.5, dtype=x.dtype)) / 0.5


class Noisy(nn.Module):
    """Attention that drops, in a block of its own."""

    def forward(self, x: Tensor) -> Tensor:
        rows = x.flatten(2)
        rows = F.scaled_dot_product_attention(rows, rows, rows, dropout_p=0.3 if self.training else 0.0)
        return rows.unflatten(2, x.shape[2:])


class DropsAttention(_Written):
    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList([Noisy(), Noisy()])

    def between(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = block(x.transpose(1, 2)).transpose(1, 2)
        return x


class WantsTargets(_Written):
    def between(self, x: Tensor) -> Tensor:
        if self.training:
            raise ValueError("training needs targets")
        return x


def pruned(network: nn.Module) -> tuple[nn.Module, nn.Module, Plan]:
    result = prune(zoo.randomised(network), IMAGE, Prune(amount=0.5))
    assert isinstance(result.compact, fx.GraphModule)
    return result.compact, result.masked, result.plan


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        (Plain, ()),
        (Drops, ()),
        (DropsPath, ("DropsPath (the network itself) does in training only: add_, add, full, bernoulli, mul, div",)),
        (DropsAttention, ("Noisy (blocks.0 and 1 more) does in training only: ",)),
        (WantsTargets, ("what training mode does besides is not in the graph: ValueError: training needs targets",)),
    ],
)
def test_the_plan_names_what_a_graph_lacks_in_training(network: type[nn.Module], expected: tuple[str, ...]) -> None:
    small, _, plan = pruned(network())
    assert len(plan.notes) == len(expected)
    assert all(text in note for text, note in zip(expected, plan.notes, strict=True))
    assert training_notes(small) == training_notes(copy.deepcopy(small)) == plan.notes


def test_a_network_loaded_again_has_the_notes() -> None:
    _, _, plan = pruned(DropsPath())
    assert training_notes(compact_like(zoo.randomised(DropsPath()), plan)) == plan.notes != ()


def test_looking_changes_nothing_of_the_network() -> None:
    model = zoo.randomised(DropsPath()).train()
    plan = make_plan(model, IMAGE, Prune(amount=0.5))
    plan_masks(model, plan).apply(model)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    torch.manual_seed(3)
    compact(model, plan)
    drawn = torch.rand(1)
    torch.manual_seed(3)
    assert torch.equal(drawn, torch.rand(1))
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_dropouts_of_a_graph_drop_in_training() -> None:
    small, _, _ = pruned(Drops())
    evaluated = small(*IMAGE)
    kinds = [type(module) for module in small.modules() if isinstance(module, nn.modules.dropout._DropoutNd)]
    assert kinds.count(nn.Dropout2d) == 2
    assert kinds.count(nn.AlphaDropout) == 2
    assert kinds.count(nn.FeatureAlphaDropout) == 1
    trained = copy.deepcopy(small).train()
    assert (trained(*IMAGE) - trained(*IMAGE)).abs().max() > 1e-3
    assert torch.equal(small(*IMAGE), evaluated)
