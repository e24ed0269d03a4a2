"""A study small enough for a test: a tiny network on a tiny data set in a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edgeprune.studies import Study
from edgeprune.studies.find import find_study
from tests.training.tiny_training import blobs

RECIPE = """
name = "blobs"
description = "bright or dark"
model = {{ factory = "tests.training.tiny_training:TinyNet", input_shape = [1, 6, 6] }}
data = {{ source = "npz", path = "{data}", validation = 30 }}
train = {{ epochs = 2, batch_size = 16 }}
prune = {{ amount = 0.5, round_to = 2 }}
retrain = {{ epochs = 1, batch_size = 16 }}
"""
STUDY = """
name = "small"
title = "Small"
question = "Does it run?"
recipe = "{recipe}"
seeds = [0, 1]
ratios = [2, 4]
control = "control"
drop = ["prune"]
[set.prune]
granularity = "weight"
scope = "global"
schedule = "one-shot"
[[arm]]
name = "control"
kind = "control"
[[arm]]
name = "global"
[[arm]]
name = "random"
densities_of = "global"
set.prune = {{ criterion = "random", scope = "uniform" }}
[[arm]]
name = "rounds"
points = "rounds"
set.prune = {{ schedule = "iterative", rounds = 4 }}
[[arm]]
name = "rewound"
set.retrain.from = "rewind"
set.retrain.rewind_epoch = 1
"""


def write_small_study(directory: Path, text: str = STUDY) -> Path:
    """Write data, recipe and study to ``directory`` and return the study's file."""
    train, test = blobs(120, 1), blobs(40, 2)
    data, recipe, study = directory / "blobs.npz", directory / "blobs.toml", directory / "small.toml"
    np.savez(
        data,
        x=train.samples.numpy(),
        y=train.labels.numpy(),
        x_test=test.samples.numpy(),
        y_test=test.labels.numpy(),
    )
    recipe.write_text(RECIPE.format(data=data), encoding="utf-8")
    study.write_text(text.format(recipe=recipe), encoding="utf-8")
    return study


def small_study(directory: Path, text: str = STUDY) -> Study:
    """Return the study of :func:`write_small_study`."""
    return find_study(str(write_small_study(directory, text)))
