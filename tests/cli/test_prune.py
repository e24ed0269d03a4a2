"""`edgeprune prune`: what a dry run and a run print, for channels and for single weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeprune.cli.main import run_command
from tests.training.test_restart import NETWORK
from tests.training.tiny_training import blobs

RECIPE = """\
name = "tiny"
description = "A tiny recipe"
[model]
factory = "{network}"
input_shape = [1, 6, 6]
[data]
source = "npz"
path = "blobs.npz"
validation = 30
[train]
epochs = 0
[prune]
amount = 0.5
schedule = "one-shot"
[retrain]
epochs = 1
"""


@pytest.fixture(autouse=True)
def in_a_directory_with_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    data = blobs(90, 1)
    np.savez("blobs.npz", x=data.samples.numpy(), y=data.labels.numpy())
    Path("tiny.toml").write_text(RECIPE.format(network=NETWORK))


def output(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    assert run_command(["prune", "tiny.toml", *argv], debug=False) == 0
    return capsys.readouterr().out


def found(capsys: pytest.CaptureFixture[str], *argv: str) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(output(capsys, *argv, "--json"))
    return answer


def test_a_dry_run_prints_the_plan_as_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    printed = output(capsys, "--dry-run", "--set", "prune.override=[{ pattern = 'conv1', amount = 0.25 }]")
    # 8 -> 6 channels of 9 weights, a bias and two of the normalisation; 128 -> 96 inputs of 12 -> 6 neurons; 2 outputs.
    assert [" ".join(line.split()) for line in printed.splitlines()] == [
        "layer kind before after pinned because",
        "conv1 Conv2d 8 6",
        "fc1 Linear 12 6",
        "fc2 Linear 2 2 network output",
        "channels: 22 -> 14 (1.6x fewer)",
        f"parameters: {8 * 12 + 128 * 12 + 12 + 26:,} -> {6 * 12 + 96 * 6 + 6 + 14:,} (2.5x fewer)",
        f"macs: {8 * 9 * 16 + 128 * 12 + 24:,} -> {6 * 9 * 16 + 96 * 6 + 12:,} (1.9x fewer)",
    ]
    assert not Path("runs/tiny/prune").exists()


@pytest.mark.parametrize("criterion", ["taylor", "apoz", "random"])
def test_a_dry_run_decides_as_the_run_does(capsys: pytest.CaptureFixture[str], criterion: str) -> None:
    dry = found(capsys, "--dry-run", "--set", f"prune.criterion={criterion}")
    run = found(capsys, "--set", f"prune.criterion={criterion}")
    assert dry["plan"] == run["plan"]
    assert [one["number"] for one in run["history"]["rounds"]] == [1]


HALVED = """
import torch
from torch import nn


class Halved(nn.Module):
    def __init__(self):
        super().__init__()
        self.wide, self.out = nn.Linear(36, 8), nn.Linear(4, 2)

    def forward(self, x):
        left, right = self.wide(x.flatten(1)).split(4, dim=1)
        if self.training:
            left = left + torch.randn_like(left)
        return self.out(left * right)
"""


def test_a_dry_run_says_what_the_compact_network_will_not_do_in_training(capsys: pytest.CaptureFixture[str]) -> None:
    Path("halved.py").write_text(HALVED)
    printed = output(capsys, "--dry-run", "--set", "model.factory=halved.py:Halved")
    assert "wide Linear 8 4" in [" ".join(line.split()) for line in printed.splitlines()]
    lost = "lacks what Halved (the network itself) does in training only: randn_like, add"
    assert lost in " ".join(printed.split())


def test_single_weights_have_a_table_too(capsys: pytest.CaptureFixture[str]) -> None:
    weights = ("--set", "prune.granularity=weight", "--set", 'prune.exclude=["fc2"]')
    dry, run = found(capsys, "--dry-run", *weights), found(capsys, *weights)
    rows = [(layer["name"], layer["before"], layer["after"], layer["pinned"]) for layer in run["plan"]["layers"]]
    assert rows == [("conv1", 72, 36, None), ("fc1", 1536, 768, None), ("fc2", 24, 24, "excluded by 'fc2'")]
    assert run["plan"]["weights"] == {"before": 1632, "after": 828}
    assert dry["plan"]["layers"] == run["plan"]["layers"]
    assert run["plan"]["parameters"]["before"] == 8 * 12 + 128 * 12 + 12 + 26
    assert "weights: 1,632 -> 828 (2.0x fewer)" in output(capsys, *weights)
