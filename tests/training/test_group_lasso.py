"""The group penalty's gradient against autograd on the groups written out by hand."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from edgeprune.data import Splits
from edgeprune.errors import UserError
from edgeprune.recipe import Data, ModelSource, Prune, Recipe, Retrain, Train
from edgeprune.training import fit, prune_and_retrain
from edgeprune.training.group_lasso import GroupLasso
from tests.training.test_loop import KillAfter, Killed
from tests.training.tiny_training import TinyNet, make_model, same_state

SAMPLE = torch.zeros(1, 1, 6, 6)


def groups(model: TinyNet) -> list[list[Tensor]]:
    """Return what leaves with each of the 8 channels and each of the 12 neurons."""
    conv, norm, fc1, fc2 = model.conv1, model.bn1, model.fc1, model.fc2
    channels = [
        [conv.weight[i], conv.bias[i], norm.weight[i], norm.bias[i], fc1.weight[:, 16 * i : 16 * i + 16]]
        for i in range(8)
    ]
    return channels + [[fc1.weight[i], fc1.bias[i], fc2.weight[:, i]] for i in range(12)]


def penalty(model: TinyNet) -> Tensor:
    terms = []
    for group in groups(model):
        entries = torch.cat([part.reshape(-1) for part in group])
        terms.append(math.sqrt(len(entries)) * entries.norm())
    return torch.stack(terms).sum()


def test_gradient_is_that_of_the_penalty() -> None:
    model = make_model()
    names = [name for name, _ in model.named_parameters()]
    wanted = dict(
        zip(names, torch.autograd.grad(penalty(model), list(model.parameters()), allow_unused=True), strict=True)
    )
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    GroupLasso.of(model, SAMPLE, "train").add_gradient(model, 0.25)
    assert wanted.pop("fc2.bias") is None
    assert model.fc2.bias.grad is not None and bool((model.fc2.bias.grad == 1).all())
    for name, gradient in wanted.items():
        assert gradient is not None
        found = model.get_parameter(name).grad
        assert found is not None
        assert torch.allclose(found, 1 + 0.25 * gradient, rtol=1e-5, atol=1e-6), name


def test_a_group_at_zero_stays_there() -> None:
    model = make_model()
    with torch.no_grad():
        for part in groups(model)[3]:
            part.zero_()
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    GroupLasso.of(model, SAMPLE, "train").add_gradient(model, 1.0)
    assert model.conv1.weight.grad is not None and model.bn1.weight.grad is not None
    assert bool((model.conv1.weight.grad[3] == 0).all()) and float(model.bn1.weight.grad[3]) == 0
    assert bool(torch.isfinite(torch.cat([p.grad.reshape(-1) for p in model.parameters() if p.grad is not None])).all())


def test_training_with_it_makes_groups_small_and_goes_on_after_a_kill(splits: Splits, checkpoint: Path) -> None:
    settings = Train(epochs=4, batch_size=16, learning_rate=0.05, group_lasso=0.01)
    plain, sparse, resumed = make_model(), make_model(), make_model()
    fit(plain, splits, settings.model_copy(update={"group_lasso": 0.0}), seed=1)
    fit(sparse, splits, settings, seed=1, callbacks=[KillAfter(-1)])
    with pytest.raises(Killed):
        fit(make_model(), splits, settings, seed=1, callbacks=[KillAfter(13)], checkpoint=checkpoint)
    fit(resumed, splits, settings, seed=1, callbacks=[KillAfter(-1)], checkpoint=checkpoint)
    assert same_state(sparse, resumed)
    with torch.no_grad():
        assert float(penalty(sparse)) < 0.8 * float(penalty(plain))


@pytest.mark.parametrize("granularity", ["channel", "weight"])
def test_rounds_of_pruning_with_it(splits: Splits, tmp_path: Path, granularity: str) -> None:
    recipe = Recipe(
        name="tiny",
        description="tiny",
        model=ModelSource(factory="tiny_training:TinyNet", input_shape=[1, 6, 6]),
        data=Data(source="npz", path="blobs.npz", validation=30),
        train=Train(epochs=1),
        prune=Prune.model_validate({"amount": 0.5, "rounds": 2, "granularity": granularity}),
        retrain=Retrain(epochs=2, batch_size=16, learning_rate=0.05, group_lasso=0.01),
    )
    plain = recipe.model_copy(update={"retrain": recipe.retrain.model_copy(update={"group_lasso": 0.0})})
    sparse, dense = make_model(), make_model()
    result = prune_and_retrain(sparse, splits, recipe, work=tmp_path / "sparse")
    prune_and_retrain(dense, splits, plain, work=tmp_path / "plain")
    for name, mask in result.masks.items():
        assert torch.count_nonzero(sparse.get_parameter(name)[~mask]) == 0
    with torch.no_grad():
        assert float(penalty(sparse)) < float(penalty(dense))


def test_a_network_without_channels_to_remove_is_refused() -> None:
    with pytest.raises(UserError, match=r"^retrain\.group_lasso: no channel of this network can be removed"):
        GroupLasso.of(nn.Sequential(nn.Flatten(), nn.Linear(36, 2)), SAMPLE, "retrain")
