"""Pruning an already pruned network: what amounts refer to, plans that compose, files the original class loads."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from edgeprune.errors import UserError
from edgeprune.pruning import (
    Plan,
    compact,
    compose,
    eliminate_dead,
    load_compact,
    plan_masks,
    prune,
    save_compact,
)
from edgeprune.pruning.nothing import NothingToRemove
from edgeprune.recipe import Override, Prune
from tests.pruning import pruning_networks as zoo

POINT = (torch.ones(1, 2),)
POINT_DOUBLE = (torch.ones(3, 2, dtype=torch.float64),)
IMAGE = (torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64),)


def mlp() -> nn.Sequential:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(2, 20), nn.ReLU(), nn.Linear(20, 40), nn.ReLU(), nn.Linear(40, 2))


def widths(plan: Plan) -> list[tuple[int, int]]:
    return [(layer.before, layer.after) for layer in plan.layers if layer.name != "4"]


def test_amounts_refer_to_the_original_or_to_what_is_left() -> None:
    once = prune(mlp(), POINT, Prune(amount=0.5))
    assert widths(once.plan) == [(20, 10), (40, 20)]
    more = prune(once.compact, POINT, Prune(amount=0.7), earlier=once.from_original)
    assert widths(more.plan) == [(10, 6), (20, 12)]
    assert widths(more.from_original) == [(20, 6), (40, 12)]
    of_left = prune(once.compact, POINT, Prune(amount=0.7, of="current"), earlier=once.from_original)
    assert widths(of_left.plan) == [(10, 3), (20, 6)]
    assert widths(of_left.from_original) == [(20, 3), (40, 6)]
    without = prune(once.compact, POINT, Prune(amount=0.7))
    assert without.plan == of_left.plan == without.from_original


@pytest.mark.parametrize("scope", ["uniform", "local", "global"])
@pytest.mark.parametrize("unit", ["channels", "parameters", "macs"])
def test_every_unit_and_scope_reaches_the_originals_amount(scope: str, unit: str) -> None:
    asked = Prune(amount=0.8, scope=scope, unit=unit)  # type: ignore[arg-type]
    once = prune(mlp(), POINT, Prune(amount=0.5))
    result = prune(once.compact, POINT, asked, earlier=once.from_original)
    total = result.from_original
    # Channels of the last layer cannot go and do not count.
    spared = 2 if unit == "channels" else 0
    left = (getattr(total, f"{unit}_after") - spared) / (getattr(total, f"{unit}_before") - spared)
    assert 0.2 * 0.85 <= left <= 0.2 + 1e-9


def test_overrides_refer_to_the_original_too() -> None:
    once = prune(mlp(), POINT, Prune(amount=0.5))
    asked = Prune(amount=0.7, override=[Override(pattern="2", amount=0.6)])
    assert widths(prune(once.compact, POINT, asked, earlier=once.plan).plan) == [(10, 6), (20, 16)]


def test_an_amount_that_is_gone_already_says_so() -> None:
    once = prune(mlp(), POINT, Prune(amount=0.5))
    message = (
        "an earlier pruning left 32 of 62 channels, and the amount, which refers to the original, asks for no more"
    )
    with pytest.raises(NothingToRemove, match=re.escape(message)):
        prune(once.compact, POINT, Prune(amount=0.5), earlier=once.plan)


def test_two_plans_are_one() -> None:
    original = zoo.randomised(zoo.ResNet())
    once = prune(original, IMAGE, Prune(amount=0.4))
    twice = prune(once.compact, IMAGE, Prune(amount=0.4, of="current"), earlier=once.plan)
    masks = plan_masks(original, twice.from_original)
    masks.apply(original)
    at_once = compact(original, twice.from_original)
    assert all(torch.equal(value, twice.compact.state_dict()[name]) for name, value in at_once.state_dict().items())
    assert Plan.from_json(twice.from_original.to_json()) == twice.from_original
    assert twice.from_original.parameters_after == sum(p.numel() for p in twice.compact.parameters())


def test_constants_folded_by_the_second_plan_are_at_the_originals_places() -> None:
    model = mlp().double()
    once = prune(model, POINT_DOUBLE, Prune(amount=0.5))
    again = once.compact
    with torch.no_grad():
        again[0].weight[3] = 0  # constant, and read by the second layer, whose bias takes it
        again[0].bias[3] = 2.0
    dead = eliminate_dead(again, POINT_DOUBLE)
    assert dead.folds
    both = compose(once.plan, dead)
    places = once.plan.kept["2.bias"][0]
    assert [both.folds["2.bias"][place] for place in places] == list(dead.folds["2.bias"])
    # The masked original with everything folded computes what the twice compacted one does.
    whole = mlp().double()
    plan_masks(whole, once.plan).apply(whole)
    row = once.plan.kept["0.weight"][0][3]
    with torch.no_grad():
        whole[0].weight[row], whole[0].bias[row] = 0, 2.0
    torch.testing.assert_close(compact(whole, both)(*POINT_DOUBLE), compact(again, dead)(*POINT_DOUBLE))


def test_plans_that_do_not_follow_each_other_are_refused() -> None:
    once = prune(mlp(), POINT, Prune(amount=0.5))
    with pytest.raises(UserError, match=re.escape("the first leaves 292 parameters, the second starts from 982")):
        compose(once.plan, once.plan)


LOAD = """
import sys, torch
from pathlib import Path
from safetensors.torch import load_file
from edgeprune.pruning import load_compact
from tests.pruning.pruning_networks import ResNet
folder = Path(sys.argv[1])
network = load_compact(ResNet(), folder).eval()
assert type(network) is ResNet, type(network)
wanted = load_file(folder / "answers.safetensors")
found = network(wanted["inputs"])
assert torch.equal(found, wanted["outputs"]), (found - wanted["outputs"]).abs().max()
print(sum(parameter.numel() for parameter in network.parameters()))
"""


def test_a_network_pruned_twice_is_loaded_by_its_class_in_a_new_process(tmp_path: Path) -> None:
    once = prune(zoo.randomised(zoo.ResNet()), IMAGE, Prune(amount=0.3))
    twice = prune(once.compact, IMAGE, Prune(amount=0.5), earlier=once.from_original)
    save_compact(twice.compact, twice.from_original, tmp_path)
    with torch.no_grad():
        answers = {"inputs": IMAGE[0], "outputs": twice.compact.eval()(*IMAGE)}
    save_file(answers, tmp_path / "answers.safetensors")
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", LOAD, str(tmp_path)], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == twice.from_original.parameters_after < once.plan.parameters_after
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "answers.safetensors",
        "compact.safetensors",
        "plan.json",
    ]


def test_files_of_another_network_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=re.escape(f"{tmp_path / 'plan.json'}: no such file")):
        load_compact(mlp(), tmp_path)
    once = prune(mlp(), POINT, Prune(amount=0.5))
    save_compact(once.compact, once.plan, tmp_path)
    assert torch.equal(load_compact(mlp(), tmp_path)(*POINT), once.compact(*POINT))
    with pytest.raises(UserError, match="the plan was made for another one"):
        load_compact(zoo.LeNet5(), tmp_path)
    (tmp_path / "compact.safetensors").write_bytes(b"none")
    with pytest.raises(UserError, match="not a safetensors file"):
        load_compact(mlp(), tmp_path)


class Versioned(nn.Linear):
    """A module that refuses a state without its version, as some of torchvision do."""

    _version = 2

    def _load_from_state_dict(self, state_dict, prefix, local_metadata, *rest):  # type: ignore[no-untyped-def]
        if local_metadata.get("version") != 2:
            raise ValueError("no version")
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *rest)


def test_a_module_that_asks_for_its_version_finds_it(tmp_path: Path) -> None:
    network = nn.Sequential(Versioned(4, 6), nn.ReLU(), nn.Linear(6, 2))
    result = prune(network, (torch.randn(1, 4),), Prune(amount=0.5))
    save_compact(result.compact, result.plan, tmp_path)
    loaded = load_compact(nn.Sequential(Versioned(4, 6), nn.ReLU(), nn.Linear(6, 2)), tmp_path)
    assert torch.equal(loaded[0].weight, result.compact[0].weight)
