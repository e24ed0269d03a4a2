"""A run that begins with what an earlier run left: `model.plan`, `model.weights`, and what amounts refer to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from edgeprune.pipeline.run import run_pipeline
from edgeprune.pipeline.sequence import Run
from edgeprune.progress import SilentProgress
from edgeprune.pruning import compact_like
from edgeprune.recipe import Recipe
from edgeprune.stages.compact import load_compact
from edgeprune.stages.network import load_weights, read_plan
from tests.training.test_restart import NETWORK
from tests.training.tiny_training import TinyNet, blobs


def recipe(folder: Path, model: dict[str, str] | None = None, **prune: Any) -> Recipe:
    return Recipe.model_validate(
        {
            "name": "tiny",
            "description": "tiny",
            "model": {"factory": NETWORK, "input_shape": [1, 6, 6]} | (model or {}),
            "data": {"source": "npz", "path": str(folder / "blobs.npz"), "validation": 30},
            "train": {"epochs": 0},
            "prune": {"amount": 0.5, "schedule": "one-shot"} | prune,
            "retrain": {"epochs": 1, "batch_size": 16},
        }
    )


def widths(plan: Path) -> dict[str, tuple[int, int]]:
    layers = json.loads(plan.read_text(encoding="utf-8"))["layers"]
    return {layer["name"]: (layer["before"], layer["after"]) for layer in layers}


@pytest.mark.parametrize(("of", "left"), [("original", (2, 3)), ("current", (1, 2))])
def test_a_second_run_goes_on_from_the_first(tmp_path: Path, of: str, left: tuple[int, int]) -> None:
    data = blobs(90, 1)
    np.savez(tmp_path / "blobs.npz", x=data.samples.numpy(), y=data.labels.numpy())
    first, second = tmp_path / "first", tmp_path / "second"
    run_pipeline(Run(recipe(tmp_path), (), first), SilentProgress(), until="compact")
    done = {"plan": str(first / "compact" / "plan.json"), "weights": str(first / "compact" / "compact.safetensors")}
    asked = recipe(tmp_path, done, amount=0.75, of=of)
    run_pipeline(Run(asked, (), second), SilentProgress(), until="compact")
    assert widths(second / "compact" / "plan.json") == {"conv1": (4, left[0]), "fc1": (6, left[1]), "fc2": (2, 2)}
    whole = second / "compact" / "from-original.json"
    assert widths(whole) == {"conv1": (8, left[0]), "fc1": (12, left[1]), "fc2": (2, 2)}
    # The run's own way, and the original class with the plan of both prunings, give the same network.
    own = load_compact(asked, second / "compact")
    at_once = compact_like(TinyNet(), read_plan(whole))
    load_weights(at_once, second / "compact" / "compact.safetensors")
    assert torch.equal(at_once.eval()(data.samples), own.eval()(data.samples))


def test_keys_that_would_do_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="of does nothing when the network was not pruned before"):
        recipe(tmp_path, of="current")
    with pytest.raises(ValueError, match="must be 'current' when weights of a network pruned before"):
        recipe(tmp_path, {"plan": "plan.json"}, granularity="weight")
