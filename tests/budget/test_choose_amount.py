"""How much is pruned follows from what a board has: of the networks that fit, the least pruned is taken."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from edgeprune.emulation import Unavailable
from edgeprune.errors import StageFailure, UserError
from edgeprune.measuring.measurement import NotRun
from edgeprune.progress import SilentProgress
from edgeprune.recipe import Budget, Recipe
from edgeprune.stages import budget_probe
from edgeprune.stages.budget import choose_amount
from edgeprune.stages.budget_probe import Probe, time_of
from edgeprune.stages.within_budget import RESULT, within_budget
from edgeprune.target import find_target
from tests.emulator import emulator
from tests.training.tiny_training import blobs, make_model

HOST = find_target("host")


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    """A recipe that may prune the tiny network's 8 channels and 12 neurons to 2 and 3, and the first layer less."""
    data = blobs(60, 1)
    samples = [data[index] for index in range(60)]
    path = tmp_path / "blobs.npz"
    np.savez(path, x=np.stack([np.asarray(x)[0] for x, _ in samples]), y=np.array([int(y) for _, y in samples]))
    return Recipe.model_validate(
        {
            "name": "tiny",
            "description": "tiny",
            "model": {"factory": "tests.training.tiny_training:TinyNet", "input_shape": [1, 6, 6]},
            "data": {"source": "npz", "path": str(path), "validation": 10},
            "train": {"epochs": 1},
            "prune": {"amount": 0.75, "rounds": 1, "override": [{"pattern": "conv1", "amount": 0.5}]},
            "retrain": {"epochs": 1},
        }
    )


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    save_file(make_model().state_dict(), path)
    return path


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Shares that were built, in order; a network takes a byte of the board per parameter, and a microsecond."""
    shares: list[float] = []

    def build_and_run(self: object, network: torch.nn.Module, share: float) -> Probe:
        shares.append(share)
        parameters = sum(tensor.numel() for tensor in network.parameters())
        return Probe(share, parameters, parameters / 1000, parameters / 1000, float(parameters), "measured")

    monkeypatch.setattr(budget_probe.Prober, "_build_and_run", build_and_run)
    return shares


def choose(recipe: Recipe, weights: Path, out: Path, **limits: float) -> dict[str, Any]:
    out.mkdir(exist_ok=True)
    budget = Budget(target="host", **limits)
    choose_amount(recipe, budget, weights, HOST, out, SilentProgress())
    found: dict[str, Any] = json.loads((out / RESULT).read_text())
    return found


# Channels and neurons left: 8 and 12 (1,658 parameters and 16 of the normalisation), 4 and 3 at the whole amount.
def parameters(channels: int, neurons: int) -> int:
    return channels * 12 + channels * 16 * neurons + neurons + neurons * 2 + 2


def test_the_least_pruned_network_within_the_budget_is_chosen(
    recipe: Recipe, weights: Path, tmp_path: Path, built: list[float]
) -> None:
    found = choose(recipe, weights, tmp_path / "out", latency_us=parameters(6, 7))
    chosen = next(probe for probe in found["probes"] if probe["share"] == found["share"])
    fewer = max((p for p in found["probes"] if p["share"] < found["share"]), key=lambda probe: probe["share"])
    assert chosen["parameters"] <= parameters(6, 7) < fewer["parameters"]
    assert found["share"] - fewer["share"] == 1 / 64
    assert found["amount"] == 0.75 * found["share"]
    assert found["probes"][0]["parameters"] == parameters(8, 12)
    assert found["probes"][-1]["parameters"] == parameters(4, 3)


def test_the_same_shapes_are_built_once(recipe: Recipe, weights: Path, tmp_path: Path, built: list[float]) -> None:
    found = choose(recipe, weights, tmp_path / "out", size_kb=parameters(4, 3) / 1000)
    assert built[:2] == [1.0, 0.0]
    assert len(built) == len({probe["parameters"] for probe in found["probes"]}) < len(found["probes"])


def test_every_amount_takes_the_share(recipe: Recipe, tmp_path: Path) -> None:
    (tmp_path / RESULT).write_text(json.dumps({"share": 0.5}))
    limited = recipe.model_copy(update={"budget": Budget(target="host", size_kb=1)})
    prune = within_budget(limited, tmp_path).prune
    assert (prune.amount, prune.override[0].amount) == (0.375, 0.25)
    assert within_budget(recipe, tmp_path) is recipe


def test_a_killed_search_goes_on(recipe: Recipe, weights: Path, tmp_path: Path, built: list[float]) -> None:
    limit = float(parameters(6, 7))
    whole = choose(recipe, weights, tmp_path / "whole", latency_us=limit)
    before = len(built)
    out = tmp_path / "killed"
    out.mkdir()
    known = [probe for probe in whole["probes"] if probe["share"] in (0.0, 0.5, 1.0)]
    (out / "probes.json").write_text(json.dumps(known))
    assert choose(recipe, weights, out, latency_us=limit) == whole
    assert not {0.0, 0.5, 1.0} & set(built[before:])
    assert [path.name for path in out.iterdir()] == [RESULT]


def test_a_budget_out_of_reach_names_what_the_whole_amount_takes(
    recipe: Recipe, weights: Path, tmp_path: Path, built: list[float]
) -> None:
    with pytest.raises(UserError, match=r"budget\.memory_kb: 0\.251 kB of memory against 0\.1, on host with all that"):
        choose(recipe, weights, tmp_path / "out", memory_kb=0.1, size_kb=1.0)
    assert built == [1.0]


def test_a_budget_that_the_dense_network_keeps_is_refused(
    recipe: Recipe, weights: Path, tmp_path: Path, built: list[float]
) -> None:
    with pytest.raises(UserError, match="the network is within it unpruned"):
        choose(recipe, weights, tmp_path / "out", size_kb=1000)


def test_a_board_that_cannot_run_it_gives_no_time() -> None:
    absent = NotRun("m", "v", "host", Unavailable("no QEMU found", "run tools/fetch_qemu.py"))
    with pytest.raises(StageFailure, match=r"no time on host: no QEMU found; run tools/fetch_qemu\.py"):
        time_of(absent, HOST)


@pytest.mark.slow
def test_a_real_board_decides(recipe: Recipe, weights: Path, tmp_path: Path) -> None:
    emulator("qemu-aarch64")
    board = find_target("rpi3")
    prober = budget_probe.Prober(recipe, Budget(target="rpi3", latency_us=1.0), weights, board, [], SilentProgress())
    most, dense = prober.probe(1.0), prober.probe(0.0)
    assert (most.parameters, dense.parameters) == (parameters(4, 3), parameters(8, 12))
    assert most.provenance == dense.provenance == "estimated"
    assert most.latency_us is not None and dense.latency_us is not None
    assert 0 < most.latency_us < dense.latency_us
    assert most.size_kb < dense.size_kb - (dense.parameters - most.parameters) * 4 / 1000 * 0.5
    assert 0 < most.memory_kb <= dense.memory_kb
    assert most.over({"latency_us": most.latency_us / 2, "size_kb": 1000.0}) == {"latency_us": most.latency_us}
