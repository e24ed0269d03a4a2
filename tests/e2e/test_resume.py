"""Killed at random moments, a run ends with the bytes of one that was not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from edgeprune.pipeline.content_hash import hash_file

pytestmark = pytest.mark.slow

RECIPE = """\
name = "blobs"
description = "Four classes of blurred blobs"
seed = 3
[model]
factory = "net.py:Net"
input_shape = [1, 12, 12]
[data]
source = "npz"
path = "blobs.npz"
validation = 100
[train]
epochs = 4
batch_size = 16
[prune]
amount = 0.5
rounds = 3
[retrain]
epochs = 2
batch_size = 16
learning_rate = 0.02
"""

NET = """\
from torch import nn


class Net(nn.Sequential):
    def __init__(self):
        super().__init__(
            nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
            nn.Linear(200, 32), nn.ReLU(), nn.Linear(32, 4),
        )
"""

RESULTS = (
    "train/model.safetensors",
    "prune/masked.safetensors",
    "prune/masks.safetensors",
    "compact/compact.safetensors",
    "export/dense.onnx",
    "export/pruned.onnx",
)


def write_project(directory: Path) -> None:
    generator = np.random.default_rng(0)
    labels = np.arange(1200) % 4
    images = generator.normal(0.3, 0.15, (1200, 12, 12))
    for label, (row, column) in enumerate([(0, 0), (0, 6), (6, 0), (6, 6)]):
        images[labels == label, row : row + 6, column : column + 6] += 0.25
    np.savez(directory / "blobs.npz", x=np.clip(images * 255, 0, 255).astype(np.uint8), y=labels)
    (directory / "blobs.toml").write_text(RECIPE)
    (directory / "net.py").write_text(NET)


def start(directory: Path, out: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "edgeprune", "export", "blobs.toml", "--out", out]
    # One thread each: these networks are too small to gain from more.
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        command,
        cwd=directory,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell starts what runs in its background with interrupts ignored, and a child inherits that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def kill_after(process: subprocess.Popen[str], lines: int) -> None:
    """Kill the process as soon as it has printed so many lines of progress."""
    assert process.stderr is not None
    for _ in range(lines):
        assert process.stderr.readline() != "", "it ended before it was killed"
    process.kill()
    process.communicate()


def test_killed_again_and_again_it_ends_with_the_same_bytes(tmp_path: Path) -> None:
    write_project(tmp_path)
    whole = start(tmp_path, "whole")
    _, complaint = whole.communicate()
    assert whole.returncode == 0, complaint
    # In the first epoch, between epochs, between rounds, while compacting.
    for lines in (1, 3, 4, 6, 5):
        kill_after(start(tmp_path, "killed"), lines)
    last = start(tmp_path, "killed")
    _, complaint = last.communicate()
    assert last.returncode == 0, complaint
    for name in RESULTS:
        assert hash_file(tmp_path / "killed" / name) == hash_file(tmp_path / "whole" / name), name


def test_an_interrupt_keeps_what_was_done_and_says_how_to_go_on(tmp_path: Path) -> None:
    write_project(tmp_path)
    process = start(tmp_path, "run")
    while not (tmp_path / "run" / "train" / "stage.json").exists():
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, complaint = process.communicate()
    assert process.returncode == 130
    assert complaint.endswith("interrupted; the same command goes on from here\n")
    again = start(tmp_path, "run")
    _, complaint = again.communicate()
    assert again.returncode == 0
    assert "1 kept" in complaint
