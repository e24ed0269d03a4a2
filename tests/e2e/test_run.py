"""The main job as a user runs it, on a small budget: real MNIST, real compiler, real emulator."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from edgeprune.pipeline.content_hash import hash_file

pytestmark = pytest.mark.slow

SMALL = {
    "data.limit": 4000,
    "train.epochs": 1,
    "retrain.epochs": 1,
    "retrain.final_epochs": 1,
    "tune.trials": 16,
    "tune.choices": "false",  # has tests of its own
    "measure.samples": 200,
}
TARGETS = ("host", "rpi3", "cortex-a7")


def edgeprune(*argv: str, directory: Path, settings: dict[str, Any] | None = None) -> subprocess.CompletedProcess[str]:
    options = [f"--set={key}={value}" for key, value in (settings or {}).items()]
    command = [sys.executable, "-m", "edgeprune", *argv, *options]
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)


def run_all(directory: Path, settings: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    targets = [f"--target={name}" for name in TARGETS]
    return edgeprune("run", "lenet5-mnist", *targets, directory=directory, settings=settings)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("e2e")
    done = run_all(directory, SMALL)
    assert done.returncode == 0, done.stderr
    return directory / "runs" / "lenet5-mnist"


@pytest.fixture(scope="module")
def report(finished: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((finished / "report" / "report.json").read_text())
    return found


def test_the_pruned_network_is_a_twelfth_or_less(report: dict[str, Any]) -> None:
    assert report["dense"]["parameters"]["value"] == 431_080
    assert report["pruned"]["parameters"]["value"] * 12 <= 431_080
    assert report["pruned"]["macs"]["value"] < report["dense"]["macs"]["value"] == 2_293_000


def test_every_board_ran_both_binaries_and_agreed_with_onnx_runtime(report: dict[str, Any]) -> None:
    borders = {
        row["border"]: row["passed"]
        for target in report["targets"]
        for variant in target["variants"]
        for row in variant["parity"]
    }
    expected = {f"{v}: ONNX Runtime | binary on {t}" for v in ("dense", "pruned") for t in TARGETS}
    assert set(borders) == expected
    assert all(borders.values())
    assert {row["border"] for row in report["parity"]} == {
        "dense: torch | ONNX Runtime",
        "pruned: torch | ONNX Runtime",
    }


def test_latency_is_measured_on_the_host_and_never_claimed_for_an_emulated_board(report: dict[str, Any]) -> None:
    for target in report["targets"]:
        for variant in target["variants"]:
            p50, instructions = variant["latency"]["p50"], variant["instructions"]
            if target["name"] == "host":
                assert p50["provenance"] == "measured"
                assert len(variant["latency"]["samples"]) == SMALL["measure.samples"]
                assert instructions["value"] is None
            else:
                assert (p50["value"], variant["latency"]["samples"]) == (None, [])
                assert (instructions["provenance"], type(instructions["value"])) == ("emulated", int)


def test_the_binary_classifies_as_the_onnx_file_does(finished: Path) -> None:
    accuracy = json.loads((finished / "evaluate" / "accuracy.json").read_text())
    for variant in ("dense", "pruned"):
        assert accuracy[variant]["host"]["total"] == accuracy[variant]["onnx"]["total"] == 10_000
        assert abs(accuracy[variant]["host"]["correct"] - accuracy[variant]["onnx"]["correct"]) <= 2
        assert accuracy[variant]["onnx"]["correct"] > 8_000


def test_every_file_of_an_artifact_is_the_one_its_manifest_names(finished: Path) -> None:
    for target in TARGETS:
        for variant in ("dense", "pruned"):
            directory = finished / "build" / target / variant
            manifest = json.loads((directory / "manifest.json").read_text())
            assert set(manifest["files"]) == {
                "lenet5_mnist.h",
                "liblenet5_mnist.a",
                "liblenet5_mnist.so",
                "lenet5_mnist-bench",
            }
            for name, entry in manifest["files"].items():
                assert hash_file(directory / name) == entry["sha256"]


def test_a_second_run_does_no_work_and_says_so(finished: Path) -> None:
    again = run_all(finished.parent.parent, SMALL)
    assert again.returncode == 0
    assert "nothing to do: all 27 stages stand as they are" in again.stderr
    assert "lenet5-mnist" in again.stdout


def test_another_tuning_budget_runs_from_tune_on(finished: Path) -> None:
    again = run_all(finished.parent.parent, SMALL | {"tune.trials": 20})
    assert again.returncode == 0, again.stderr
    computed = again.stderr.strip().splitlines()[-1].split(": ")[-1].split(", ")
    assert computed[0] == "tune/host/dense"
    assert not {name.split("/")[0] for name in computed} & {"train", "prune", "compact", "export", "lower"}
