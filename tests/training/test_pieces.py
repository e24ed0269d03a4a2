from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from edgeprune.errors import UserError
from edgeprune.recipe import Train
from edgeprune.training import fit
from edgeprune.training.augment import random_shift
from edgeprune.training.batches import cut
from edgeprune.training.learning_rate import learning_rate
from edgeprune.training.optimizer import add_l1_gradient, add_scale_gradient, build_optimizer
from edgeprune.training.randomness import derive_seed
from tests.training.tiny_training import make_model, make_splits


def test_learning_rate_closed_forms() -> None:
    assert learning_rate(decay="constant", base=0.2, step=99, steps=100) == 0.2
    assert learning_rate(decay="cosine", base=0.2, step=0, steps=100) == 0.2
    assert learning_rate(decay="cosine", base=0.2, step=50, steps=100) == pytest.approx(0.1)
    assert learning_rate(decay="cosine", base=0.2, step=25, steps=100) == pytest.approx(0.1 * (1 + math.sqrt(0.5)))
    cycle = [learning_rate(decay="one-cycle", base=0.2, step=step, steps=100) for step in range(100)]
    assert cycle[0] == pytest.approx(0.02)
    assert cycle[15] == pytest.approx(0.11)
    assert cycle[30] == max(cycle) == pytest.approx(0.2)
    assert cycle[65] == pytest.approx(0.2 * (0.001 + 0.999 * 0.5))
    assert cycle[:31] == sorted(cycle[:31]) and cycle[30:] == sorted(cycle[30:], reverse=True)
    with pytest.raises(ValueError, match=r"^step 100 is not one of 100 steps$"):
        learning_rate(decay="cosine", base=0.2, step=100, steps=100)


def test_l1_adds_its_subgradient_to_weights_only() -> None:
    model = make_model()
    model(torch.rand(4, 1, 6, 6)).sum().backward()
    with torch.no_grad():
        model.fc1.weight[0, 0] = 0.0
    before = {
        name: parameter.grad.clone() for name, parameter in model.named_parameters() if parameter.grad is not None
    }
    add_l1_gradient(model, 0.5)
    for name, parameter in model.named_parameters():
        added = 0.5 * parameter.sign() if name.endswith("weight") else torch.zeros_like(parameter)
        assert torch.equal(parameter.grad, before[name] + added), name  # type: ignore[arg-type]


def test_weight_decay_spares_biases_and_normalisation() -> None:
    model = make_model()
    names = {parameter: name for name, parameter in model.named_parameters()}
    groups = build_optimizer(model, Train(epochs=1, weight_decay=0.1)).param_groups
    assert {names[parameter]: group["weight_decay"] for group in groups for parameter in group["params"]} == {
        "conv1.weight": 0.1,
        "fc1.weight": 0.1,
        "fc2.weight": 0.1,
        "conv1.bias": 0.0,
        "bn1.weight": 0.0,
        "bn1.bias": 0.0,
        "fc1.bias": 0.0,
        "fc2.bias": 0.0,
    }


def test_shift_moves_each_image_and_repeats_the_edge() -> None:
    images = torch.arange(2 * 3 * 4 * 5, dtype=torch.float32).reshape(2, 3, 4, 5)
    shifted = random_shift(images, 2, torch.Generator().manual_seed(3))
    down, right = torch.randint(0, 5, (2, 2), generator=torch.Generator().manual_seed(3))
    for n in range(2):
        rows = (torch.arange(4) + down[n] - 2).clamp(0, 3)
        columns = (torch.arange(5) + right[n] - 2).clamp(0, 4)
        assert torch.equal(shifted[n], images[n][:, rows][:, :, columns])
    assert random_shift(images, 0, torch.Generator()) is images


@pytest.mark.parametrize(
    ("count", "size", "sizes"), [(10, 4, [4, 4, 2]), (9, 4, [4, 5]), (8, 4, [4, 4]), (1, 4, [1]), (3, 1, [1, 2])]
)
def test_no_batch_of_a_single_sample_at_the_end(count: int, size: int, sizes: list[int]) -> None:
    parts = cut(torch.arange(count), size)
    assert [len(part) for part in parts] == sizes
    assert torch.cat(parts).tolist() == list(range(count))


def test_derived_seeds_are_fixed_and_differ_by_place() -> None:
    assert derive_seed(0, "epoch", 1) == derive_seed(0, "epoch", 1)
    places = [derive_seed(seed, "epoch", epoch) for seed in range(20) for epoch in range(20)]
    assert len(set(places)) == 400


def test_scale_gradient_pulls_the_scales_of_batch_normalisations_alone() -> None:
    model = make_model()
    with torch.no_grad():
        model.bn1.weight.copy_(torch.tensor([1.0, -2.0, 0.0, 3.0, -1.0, 0.5, 0.0, 1.0]))
    for parameter in model.parameters():
        parameter.grad = torch.full_like(parameter, 2.0)
    add_scale_gradient(model, 0.25)
    assert model.bn1.weight.grad is not None
    assert model.bn1.weight.grad.tolist() == [2.25, 1.75, 2.0, 2.25, 1.75, 2.25, 2.0, 2.25]
    others = [value.grad for name, value in model.named_parameters() if name != "bn1.weight"]
    assert all(grad is not None and bool((grad == 2.0).all()) for grad in others)


def test_slimming_makes_scales_small_and_needs_scales() -> None:
    plain, slim = make_model(), make_model()
    settings = Train(epochs=4, batch_size=16, learning_rate=0.05)
    fit(plain, make_splits(), settings, seed=1)
    fit(slim, make_splits(), settings.model_copy(update={"bn_l1": 0.2}), seed=1)
    assert float(slim.bn1.weight.detach().abs().sum()) < 0.6 * float(plain.bn1.weight.detach().abs().sum())
    without = nn.Sequential(nn.Flatten(), nn.Linear(36, 2))
    with pytest.raises(UserError, match=r"^train\.bn_l1: the network has no batch normalisation with scales to pull$"):
        fit(without, make_splits(), settings.model_copy(update={"bn_l1": 0.05}), seed=1)
