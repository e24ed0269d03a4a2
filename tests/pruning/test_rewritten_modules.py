"""What a rewritten graph must mind: regions of the code, modules that do more than torch's own, casts, scales."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from edgeprune.errors import StageFailure
from edgeprune.pruning import prune
from edgeprune.pruning.trace import trace
from edgeprune.recipe import Prune
from tests.pruning.pruning_networks import randomised

X = torch.randn(2, 3, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


class Regions(nn.Module):
    """A gate without gradients, and a convolution kept out of autocasting."""

    def __init__(self, width: int | None = None) -> None:
        super().__init__()
        self.width = width
        self.gate, self.one, self.two = nn.Conv2d(3, 16, 1), nn.Conv2d(3, 16, 1), nn.Conv2d(16, 24, 3)
        self.fc = nn.Linear(24, 5)

    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            gate = self.gate(x).sigmoid()
        with torch.autocast("cpu", enabled=False):
            x = F.relu(self.two(F.relu(self.one(x)) * gate))
        x = x.mean((2, 3))
        return self.fc(x if self.width is None else x.view(-1, 12 * 2))


class ActivatedNorm(nn.BatchNorm2d):
    """A normalisation with its activation inside."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.act = nn.Softplus()

    def forward(self, input: Tensor) -> Tensor:
        return self.act(super().forward(input)) - 0.5


class Activated(nn.Module):
    """Two halves by a size written into the code, so that only a graph can be smaller."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.norm = nn.Conv2d(3, 16, 3, padding=1), ActivatedNorm(16)
        self.fc = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        left, right = self.norm(self.stem(x)).split(8, dim=1)
        return self.fc((left * right).mean((2, 3)))


def test_code_under_no_grad_or_a_disabled_autocast_is_pruned() -> None:
    result = prune(randomised(Regions()), (X,), Prune(amount=0.5))
    assert [(layer.name, layer.after) for layer in result.plan.layers] == [
        *(("gate", 8), ("one", 8), ("two", 12), ("fc", 5)),
    ]
    assert result.parity.relative_error < 1e-12
    assert not isinstance(result.compact, fx.GraphModule)


def test_a_graph_gives_no_gradients_where_the_network_gave_none() -> None:
    result = prune(randomised(Regions(24)), (X,), Prune(amount=0.5))
    assert isinstance(result.compact, fx.GraphModule)
    result.compact(X).square().sum().backward()
    without = {name for name, parameter in result.compact.named_parameters() if parameter.grad is None}
    assert without == {"gate.weight", "gate.bias"}


def test_a_graph_does_once_what_a_normalisation_does_besides() -> None:
    result = prune(randomised(Activated()), (X,), Prune(amount=0.5))
    assert isinstance(result.compact, fx.GraphModule)
    assert result.parity.relative_error < 1e-12
    assert [layer.after for layer in result.plan.layers] == [8, 5]
    result.compact.train()
    result.masked.train()
    torch.testing.assert_close(result.compact(X), result.masked(X))
    mean = result.compact.state_dict()["norm.running_mean"]
    assert mean.shape == (8,) and set(mean.tolist()) <= set(result.masked.state_dict()["norm.running_mean"].tolist())


class OneHead(nn.Module):
    """Attention of a single head, whose scale torch works out from its width."""

    def __init__(self) -> None:
        super().__init__()
        self.q, self.k, self.v = nn.Linear(6, 16), nn.Linear(6, 16), nn.Linear(6, 12)
        self.out = nn.Linear(12, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(F.scaled_dot_product_attention(self.q(x), self.k(x), self.v(x)))


class Positions(nn.Module):
    """Positions made from numbers and cast to the type of the weights that read them."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.place, self.fc = nn.Conv2d(3, 16, 1), nn.Conv2d(1, 16, 1), nn.Linear(16, 5)

    def forward(self, x: Tensor) -> Tensor:
        grid = torch.arange(64, dtype=torch.float32).reshape(1, 1, 8, 8).div(64).to(self.place.weight.dtype)
        x = F.relu(self.stem(x) + self.place(grid)).view(-1, 16, 64)
        return self.fc(x.mean(2))


def test_a_single_heads_width_shrinks_under_the_scale_it_had() -> None:
    x = torch.randn(2, 5, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    result = prune(randomised(OneHead()), (x,), Prune(amount=0.5))
    assert {layer.name: layer.after for layer in result.plan.layers} == {"q": 8, "k": 8, "v": 6, "out": 4}
    assert result.parity.relative_error < 1e-12


def test_what_is_made_from_numbers_follows_a_cast() -> None:
    result = prune(randomised(Positions(), dtype=torch.float32), (X.float(),), Prune(amount=0.5))
    assert isinstance(result.compact, fx.GraphModule)
    torch.testing.assert_close(result.compact.double()(X), result.masked.double()(X), rtol=1e-12, atol=1e-12)


def test_spectral_normalisation_loses_channels() -> None:
    convolution = nn.utils.parametrizations.spectral_norm(nn.Conv2d(3, 16, 3, padding=1))
    model = nn.Sequential(convolution, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 3))
    result = prune(randomised(model), (X,), Prune(amount=0.5))
    assert [layer.after for layer in result.plan.layers] == [8, 3]
    assert not isinstance(result.compact, fx.GraphModule)


class Undecided(nn.Module):
    """Goes one of two ways by what it sees."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(3, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(x) if x.sum() > 0 else x


def test_what_cannot_be_traced_is_named_by_its_line_and_nothing_else_is_printed(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(StageFailure, match=r"Undecided cannot be .*\(at test_rewritten_modules.py:\d+: return self.fc"):
        trace(Undecided(), (torch.ones(2, 3),))
    with pytest.raises(StageFailure, match="same reduction dim"):
        trace(nn.Linear(3, 4), (torch.ones(2, 5),))
    assert "".join(capfd.readouterr()) == ""
