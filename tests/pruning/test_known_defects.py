"""Where other structured pruners were seen to fail, silently or loudly."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from edgeprune.errors import UserError
from edgeprune.pruning import (
    compact,
    compact_like,
    compact_optimizer,
    eliminate_dead,
    make_plan,
    plan_masks,
    prune,
    trace_coupling,
)
from edgeprune.pruning.labels import Indices, Labels
from edgeprune.pruning.masks import Masks
from edgeprune.recipe import Prune
from tests.pruning import pruning_functional as functional
from tests.pruning import pruning_networks as zoo
from tests.pruning import pruning_structures as more

IMAGE = (torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64),)
HALF = Prune(amount=0.5)
ROOT = Path(__file__).parents[2]


def test_a_frozen_model_is_pruned_all_the_same() -> None:
    model = zoo.randomised(zoo.ResNet()).requires_grad_(False)
    result = prune(model, IMAGE, HALF)
    assert result.plan.parameters_after < 0.3 * result.plan.parameters_before
    assert not any(parameter.requires_grad for parameter in result.compact.parameters())


def test_a_broadcast_multiply_does_not_keep_its_producer() -> None:
    plan = prune(zoo.randomised(zoo.SqueezeExcite()), IMAGE, HALF).plan
    assert {layer.name: layer.after for layer in plan.layers} == {
        "conv": 8,
        "squeeze": 4,
        "excite": 8,
        "out": 6,
        "fc": 5,
    }


def test_normalisation_constants_are_masked_with_their_channel() -> None:
    model = zoo.randomised(zoo.depthwise())
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.weight[::2] = 0
                module.bias[::2] = 0.5
    result = prune(model, IMAGE, Prune(amount=0.5, criterion="bn-scale"))
    assert result.parity.relative_error < 1e-12
    norm = result.masked.get_submodule("1")
    gone = [index for index in range(16) if index not in result.plan.kept["1.weight"][0]]
    assert gone == list(range(0, 16, 2))
    assert not bool(norm.bias[gone].any())


def test_constants_of_a_normalisation_are_kept_exactly_at_borders_and_joins() -> None:
    model = zoo.randomised(zoo.ResNet())
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.weight[:6] = 0
                module.bias[:6] = 0.5
    plan = eliminate_dead(model, IMAGE)
    torch.testing.assert_close(compact(model, plan)(*IMAGE), model(*IMAGE), rtol=1e-12, atol=1e-12)
    assert {layer.name: layer.after for layer in plan.layers} == {layer.name: layer.before for layer in plan.layers}
    assert any("at the padded border of blocks.0.conv2.weight they are not constant" in note for note in plan.notes)


def test_a_layer_of_twelve_is_rounded_to_eight() -> None:
    model = zoo.randomised(nn.Sequential(nn.Conv2d(3, 12, 3), nn.ReLU(), nn.Conv2d(12, 4, 1)))
    plan = prune(model, IMAGE, Prune(amount=0.2, round_to=8)).plan
    assert [(layer.after, layer.pinned) for layer in plan.layers] == [(8, None), (4, "network output")]


@pytest.mark.parametrize(
    ("model", "left"),
    [
        (zoo.Chunk(), {"stem": 12, "left": 4, "right": 4, "last": 6}),
        (more.ShuffleUnits(), {"stem": 8, **{f"branches.{i}.{j}": n for i in range(2) for j, n in ((0, 6), (3, 4))}}),
        (functional.Windows(), {"embed": 8, "qkv": 24, "project": 8, "head": 5}),
        (more.Dense(12), {"stem": 4, **{f"convs.{i}": 2 for i in range(12)}, "fc": 5}),
    ],
    ids=["chunk-into-branches", "shuffled-halves", "shifted-windows", "all-to-all"],
)
def test_what_others_fail_on_loses_half_of_every_layer(model: nn.Module, left: dict[str, int]) -> None:
    result = prune(zoo.randomised(model), IMAGE, HALF)
    found = {layer.name: layer.after for layer in result.plan.layers}
    assert {name: found[name] for name in left} == left
    assert result.parity.relative_error < 1e-12


def test_work_grows_with_the_graph_and_not_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    """Labels are joined a fixed number of times per operator, however many layers read what one made."""
    calls = 0
    join = Labels.join

    def counted(labels: Labels, left: Indices, right: Indices) -> None:
        nonlocal calls
        calls += 1
        join(labels, left, right)

    monkeypatch.setattr(Labels, "join", counted)
    counts = []
    for layers in (6, 12, 24):
        calls = 0
        trace_coupling(more.Dense(layers).double().eval(), IMAGE)
        counts.append(calls)
    assert counts[2] - counts[1] == 2 * (counts[1] - counts[0])


def test_nothing_leaks_from_one_call_into_the_next() -> None:
    first = make_plan(zoo.randomised(zoo.ResNet()), IMAGE, Prune(amount=0.5, exclude=["stem.0"]))
    other = make_plan(zoo.randomised(zoo.ResNet()), IMAGE, HALF)
    assert first.layers[0].after == 16
    assert other.layers[0].after == 8


def test_an_operator_without_a_rule_keeps_what_it_touches_and_is_named() -> None:
    class Recurrent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.lstm, self.fc = nn.Conv1d(3, 8, 3), nn.LSTM(8, 6, batch_first=True), nn.Linear(6, 4)
            self.wide, self.out = nn.Linear(4, 16), nn.Linear(16, 2)

        def forward(self, x: Tensor) -> Tensor:
            x, _ = self.lstm(self.conv(x).transpose(1, 2))
            return self.out(torch.relu(self.wide(self.fc(x))))

    model = zoo.randomised(Recurrent())
    plan = prune(model, (torch.randn(2, 3, 9, dtype=torch.float64),), HALF).plan
    rows = {layer.name: (layer.after, layer.pinned) for layer in plan.layers}
    assert rows["conv"] == (8, "operator aten.lstm.input has no rule")
    assert rows["wide"] == (8, None)
    assert rows["fc"] == (2, None)
    assert "operator aten.lstm.input has no rule: what it touches stays" in plan.notes


def test_sorting_positions_keeps_the_channels_it_cannot_follow() -> None:
    class Sorted(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.c = nn.Conv1d(3, 8, 3), nn.Conv1d(8, 8, 1), nn.Conv1d(8, 4, 1)

        def forward(self, x: Tensor) -> Tensor:
            return self.c(torch.relu(self.b(self.a(x).sort(dim=-1)[0])))

    plan = prune(zoo.randomised(Sorted()), (torch.randn(2, 3, 9, dtype=torch.float64),), HALF).plan
    assert [(layer.name, layer.after, layer.pinned) for layer in plan.layers] == [
        ("a", 8, "operator aten.sort.default has no rule"),
        ("b", 4, None),
        ("c", 4, "network output"),
    ]


def test_removing_nothing_is_an_error_that_says_why() -> None:
    with pytest.raises(UserError, match="prune: nothing can be removed: 0: softmax over its channels"):
        make_plan(nn.Sequential(nn.Linear(3, 4), nn.Softmax(-1)), (torch.ones(1, 3),), HALF)


LOAD = """
import sys, torch
from pathlib import Path
from safetensors.torch import load_file
from edgeprune.pruning import Plan, compact_like
from tests.pruning import pruning_networks as zoo, pruning_structures as more
folder = Path(sys.argv[1])
model = {make}().double().eval()
small = compact_like(model, Plan.from_json((folder / "kept.json").read_text()))
small.load_state_dict(load_file(folder / "compact.safetensors"))
data = load_file(folder / "data.safetensors")
torch.testing.assert_close(small(data["x"]), data["y"], rtol=1e-12, atol=1e-12)
"""


@pytest.mark.parametrize(
    ("make", "shape"),
    [("zoo.ResNet", (2, 3, 8, 8)), ("zoo.LiteralView", (2, 1, 28, 28)), ("more.TorchAttention", (2, 5, 16))],
)
def test_saved_without_pickle_and_loaded_in_a_new_process(make: str, shape: tuple[int, ...], tmp_path: Path) -> None:
    space, name = make.split(".")
    model = zoo.randomised(getattr({"zoo": zoo, "more": more}[space], name)())
    x = torch.randn(shape, dtype=torch.float64)
    result = prune(model, (x,), HALF)
    save_file(result.compact.state_dict(), tmp_path / "compact.safetensors")
    save_file({"x": x, "y": result.compact(x).detach().contiguous()}, tmp_path / "data.safetensors")
    (tmp_path / "kept.json").write_text(result.plan.to_json())
    script = LOAD.replace("{make}", make)
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_bare_kept_indices_shrink_an_ordinary_network() -> None:
    result = prune(zoo.randomised(zoo.depthwise()), IMAGE, HALF)
    fresh = compact_like(zoo.depthwise().double().eval(), result.plan.kept)
    fresh.load_state_dict(result.compact.state_dict())
    torch.testing.assert_close(fresh(*IMAGE), result.compact(*IMAGE))


def test_compacting_what_was_not_masked_is_refused() -> None:
    model = zoo.randomised(zoo.LeNet5())
    plan = make_plan(model, (torch.ones(1, 1, 28, 28, dtype=torch.float64),), HALF)
    with pytest.raises(UserError, match="compact: apply the plan's masks first"):
        compact(model, plan)


def test_a_pruned_network_can_be_pruned_again() -> None:
    first = prune(zoo.randomised(zoo.ResNet()), IMAGE, HALF)
    second = prune(first.compact, IMAGE, HALF)
    assert second.plan.parameters_before == first.plan.parameters_after
    assert second.plan.layers[0].before == 8 and second.plan.layers[0].after == 4


@pytest.mark.parametrize("kind", ["sgd", "adam"])
def test_optimizer_state_goes_along(kind: str) -> None:
    """Masked and compact training, continued with the same state, stay the same network."""
    model = zoo.randomised(zoo.ResNet())
    plan = make_plan(model, IMAGE, HALF)
    masks = plan_masks(model, plan)
    masks.apply(model)
    optimizer: torch.optim.Optimizer
    if kind == "sgd":
        optimizer = torch.optim.SGD(model.parameters(), 0.01, momentum=0.9, weight_decay=1e-3)
    else:
        optimizer = torch.optim.AdamW(model.parameters(), 0.01)
    _steps(model, optimizer, masks, 2)
    small = compact(model, plan)
    moved = compact_optimizer(optimizer, model, small, plan)
    assert type(moved) is type(optimizer)
    _steps(model, optimizer, masks, 2)
    _steps(small, moved, Masks({}), 2)
    torch.testing.assert_close(small(*IMAGE), model(*IMAGE), rtol=1e-9, atol=1e-9)


def _steps(model: nn.Module, optimizer: torch.optim.Optimizer, masks: Masks, count: int) -> None:
    for _ in range(count):
        optimizer.zero_grad()
        model(*IMAGE).square().mean().backward()
        optimizer.step()
        masks.apply(model)


def test_safetensors_hold_what_the_state_dict_does(tmp_path: Path) -> None:
    result = prune(zoo.randomised(zoo.ResNet()), IMAGE, HALF)
    save_file(result.compact.state_dict(), tmp_path / "w.safetensors")
    assert set(load_file(tmp_path / "w.safetensors")) == set(zoo.ResNet().state_dict())
