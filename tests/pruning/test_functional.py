"""What people write in functions is followed, or kept with a reason: every layer's channels, and the same results."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import fx, nn

from edgeprune.pruning import prune
from edgeprune.recipe import Prune
from tests.pruning import pruning_functional as zoo
from tests.pruning.pruning_networks import randomised

IMAGE = (2, 3, 8, 8)
CASES: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...], dict[str, int]]] = {
    "rms-attention": (
        zoo.RmsAttention,
        (2, 5, 6),
        {"q": 16, "k": 8, "v": 8, "out": 12, "gate": 20, "up": 20, "down": 12, "embed": 12, "head": 5},
    ),
    "windows": (zoo.Windows, (2, 3, 4, 4), {"embed": 8, "qkv": 24, "project": 8, "head": 5}),
    "einsum-attention": (zoo.EinsumAttention, (2, 5, 12), {"q": 3, "k": 3, "v": 3, "out": 12, "head": 3}),
    "plain-attention": (zoo.PlainAttention, (2, 5, 10), {"q": 8, "k": 8, "v": 12, "out": 7}),
    "channel-gates": (zoo.ChannelGates, IMAGE, {"stem": 8, "space": 1, "wide": 12, "out": 5}),
    "padded-shortcut": (zoo.PaddedShortcut, IMAGE, {"stem": 5, "down": 8, "fc": 5}),
    "standardised": (zoo.Standardised, IMAGE, {"weight": 5, "stem": 6, "fc": 5}),
    "unfolded": (zoo.Unfolded, IMAGE, {"stem": 4, "mix": 4, "deep": 6, "out": 4}),
    "choices": (zoo.Choices, IMAGE, {"stem": 12, "left": 6, "right": 6, "fc": 5}),
    "mixer": (zoo.Mixer, IMAGE, {"embed": 16, "across": 6, "back": 4, "wide": 10, "narrow": 16, "fc": 5}),
    "sequences": (zoo.Sequences, (2, 3, 9), {"first": 16, "second": 8, "wide": 6, "fc": 4}),
    "compared": (zoo.Compared, IMAGE, {"stem": 4, "pair": 3, "fc": 5}),
    "rolled-channels": (zoo.RolledChannels, IMAGE, {"a": 6, "b": 12, "c": 6, "fc": 5}),
}
REASONS = {
    "einsum-attention": {"out": "meets a tensor that must stay"},
    "channel-gates": {"space": "broadcast"},
    "mixer": {
        "embed": "the normalisation mixes features that are not zero when masked",
        "back": "meets a tensor that must stay",
        "narrow": "the normalisation mixes features that are not zero when masked",
    },
    "sequences": {"first": "indexed by a tensor", "second": "operator aten.lstm.input has no rule"},
    "rolled-channels": {"b": "rolled along"},
}


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("name", CASES)
def test_every_layer_is_followed_or_kept_with_a_reason(name: str, dtype: torch.dtype) -> None:
    make, shape, expected = CASES[name]
    model = randomised(make(), dtype=dtype)
    x = torch.randn(shape, generator=torch.Generator().manual_seed(1)).to(dtype)
    result = prune(model, (x,), Prune(amount=0.5))
    assert {layer.name: layer.after for layer in result.plan.layers} == expected
    kept = {layer.name: layer.pinned for layer in result.plan.layers if layer.after == layer.before}
    assert {k: v for k, v in kept.items() if v != "network output"} == REASONS.get(name, {})
    assert result.parity.relative_error <= (1e-12 if dtype is torch.float64 else 1e-5)
    assert (model(x) - result.masked(x)).abs().max() > 1e-3
    result.compact(x).square().sum().backward()
    assert all(p.grad is not None for p in result.compact.parameters() if p.requires_grad)


def test_a_filled_normalisation_is_a_module_that_is_pruned_again() -> None:
    torch.manual_seed(0)
    block = nn.Sequential(nn.Linear(6, 16), nn.LayerNorm(16), nn.GELU(), nn.Linear(16, 4))
    x = torch.randn(3, 6, dtype=torch.float64)
    first = prune(randomised(block), (x,), Prune(amount=0.5))
    assert not isinstance(first.compact, fx.GraphModule)
    norm = first.compact[1]
    assert isinstance(norm, nn.LayerNorm) and norm.normalized_shape == (8,) and norm.filled_shape == (16,)
    live = first.compact[0](x)
    expected = nn.functional.layer_norm(
        torch.cat([live, torch.zeros(3, 8, dtype=torch.float64)], -1), (16,), eps=norm.eps
    )[:, :8]
    torch.testing.assert_close(norm(live), expected * norm.weight + norm.bias)
    second = prune(first.compact, (x,), Prune(amount=0.5))
    assert [layer.after for layer in second.plan.layers] == [4, 4]
    assert second.compact[1].normalized_shape == (4,) and second.compact[1].filled_shape == (16,)
    assert second.parity.relative_error < 1e-12


@pytest.mark.parametrize("kind", [nn.LayerNorm, nn.RMSNorm, lambda size: nn.GroupNorm(1, size)])
def test_features_of_a_normalisation_go(kind: Callable[[int], nn.Module]) -> None:
    block = nn.Sequential(nn.Linear(6, 16), kind(16), nn.GELU(), nn.Linear(16, 4))
    x = torch.randn(3, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    result = prune(randomised(block), (x,), Prune(amount=0.5))
    assert not isinstance(result.compact, fx.GraphModule)
    assert [layer.after for layer in result.plan.layers] == [8, 4]
    assert result.parity.relative_error < 1e-12
