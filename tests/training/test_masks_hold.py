"""Masks hold exactly under any optimizer, and what it remembers moves with the network when that shrinks."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Optimizer, RMSprop

from edgeprune.errors import UserError
from edgeprune.pruning import compact, compact_optimizer, make_plan, plan_masks
from edgeprune.recipe import Prune
from edgeprune.training import MaskCallback
from tests.training.tiny_training import blobs, make_model

Make = Callable[[list[nn.Parameter], float], Optimizer]
OPTIMIZERS: dict[str, Make] = {
    "sgd": lambda parameters, decay: SGD(parameters, 0.05, momentum=0.9, weight_decay=decay),
    "nesterov": lambda parameters, decay: SGD(parameters, 0.05, momentum=0.9, nesterov=True, weight_decay=decay),
    "adam": lambda parameters, decay: Adam(parameters, 0.01, weight_decay=decay),
    "amsgrad": lambda parameters, decay: Adam(parameters, 0.01, weight_decay=decay, amsgrad=True),
    "adamw": lambda parameters, decay: AdamW(parameters, 0.01, weight_decay=decay),
    "rmsprop": lambda parameters, decay: RMSprop(parameters, 0.01, momentum=0.9, weight_decay=decay, centered=True),
}
DATA = blobs(48, 1)


def step(model: nn.Module, optimizer: Optimizer, samples: Tensor, labels: Tensor) -> None:
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(samples), labels).backward()
    optimizer.step()


@pytest.mark.parametrize("name", OPTIMIZERS)
@settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    density=st.floats(0.02, 0.9),
    decay=st.sampled_from([0.0, 1e-4, 0.1]),
    seed=st.integers(0, 99),
    dtype=st.sampled_from([torch.float32, torch.float64]),
    layout=st.sampled_from([torch.contiguous_format, torch.channels_last]),
)
def test_masks_hold_after_every_step(
    name: str, density: float, decay: float, seed: int, dtype: torch.dtype, layout: torch.memory_format
) -> None:
    model = make_model(seed).to(dtype).to(memory_format=layout)  # type: ignore[call-overload]
    generator = torch.Generator().manual_seed(seed)
    optimizer = OPTIMIZERS[name](list(model.parameters()), decay)
    step(model, optimizer, DATA.samples.to(dtype), DATA.labels)  # momentum for what is then masked
    masks = {key: torch.rand(value.shape, generator=generator) < density for key, value in model.named_parameters()}
    callback = MaskCallback(masks)
    callback.on_train_start(model)
    for number in range(3):
        step(model, optimizer, DATA.samples.to(dtype), DATA.labels)
        before = {key: value.detach().clone() for key, value in model.named_parameters()}
        callback.on_step_end(model, optimizer, number)
        for key, value in model.named_parameters():
            assert torch.equal(value.detach(), torch.where(masks[key], before[key], 0.0)), key
    callback.on_train_end(model)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
def test_masks_hold_in_half_precision(kind: torch.dtype) -> None:
    layer = nn.Linear(4, 2).to(kind)
    with torch.no_grad():
        layer.weight[0] = torch.tensor([1.0, -2.0, torch.inf, torch.nan])
    before = layer.weight.detach().clone()
    mask = torch.tensor([[True, False, False, False], [True, True, False, True]])
    MaskCallback({"weight": mask}).apply(layer)
    assert torch.equal(layer.weight.detach(), torch.where(mask, before, 0.0))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_training_goes_on_in_the_compact_network_as_in_the_masked_one(name: str) -> None:
    model = make_model().double()
    plan = make_plan(model.eval(), (DATA.samples[:1].double(),), Prune(amount=0.5))
    model.train()
    masks = plan_masks(model, plan)
    callback = MaskCallback(masks)
    callback.apply(model)
    optimizer = OPTIMIZERS[name](list(model.parameters()), 1e-3)
    samples = DATA.samples.double()

    def answer(network: nn.Module) -> Tensor:
        network.eval()  # no dropout; the normalisation's statistics stand still
        answered: Tensor = network(samples)
        return answered

    def train(network: nn.Module, own: Optimizer, hold: Callable[[], None]) -> None:
        for _ in range(3):
            own.zero_grad()
            nn.functional.cross_entropy(answer(network), DATA.labels).backward()
            own.step()
            hold()

    train(model, optimizer, lambda: callback.apply(model))
    small = compact(model, plan)
    moved = compact_optimizer(optimizer, model, small, plan)
    assert sum(value.numel() for value in small.parameters()) < sum(value.numel() for value in model.parameters())
    train(model, optimizer, lambda: callback.apply(model))
    train(small, moved, lambda: None)
    torch.testing.assert_close(answer(small), answer(model), rtol=1e-10, atol=1e-10)
    whole = compact(model, plan).state_dict()
    for key, value in small.state_dict().items():
        torch.testing.assert_close(value, whole[key], rtol=1e-9, atol=1e-12)


def one_layer_less(optimizer: Optimizer, model: nn.Sequential) -> tuple[nn.Module, Callable[[], Optimizer]]:
    """Train a step, prune half of the first layer, and return the compact network and what moves the optimizer."""

    def loss() -> Tensor:
        optimizer.zero_grad()
        value: Tensor = model(torch.ones(2, 4)).square().sum()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimizer.step(loss)
    plan = make_plan(model, (torch.ones(1, 4),), Prune(amount=0.5))
    plan_masks(model, plan).apply(model)
    small = compact(model, plan)
    return small, lambda: compact_optimizer(optimizer, model, small, plan)


def test_rows_and_columns_of_moments_are_cut_with_the_parameter() -> None:
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    optimizer = torch.optim.Adafactor(model.parameters(), 0.01)
    small, move = one_layer_less(optimizer, model)
    moved = move()
    shapes = {key: tuple(value.shape) for key, value in moved.state[small[0].weight].items() if key != "step"}
    assert shapes == {"row_var": (4, 1), "col_var": (1, 4)}
    small(torch.ones(2, 4)).square().sum().backward()
    moved.step()


def test_a_memory_of_all_parameters_in_a_row_is_refused() -> None:
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    _, move = one_layer_less(torch.optim.LBFGS(model.parameters(), max_iter=2), model)
    with pytest.raises(UserError, match=r"0\.weight: .* of shape \(58,\), cannot be cut with a parameter of shape"):
        move()
