"""Artifacts in half precision on the emulated core: right within a looser bound, smaller, refused by older cores."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgeprune.lowering import lower, read_program, run_onnx, schedule
from edgeprune.stages import evaluate
from edgeprune.stages.golden import HALF_TOLERANCE, TOLERANCE, tolerance_on
from edgeprune.target import find_target
from tests.artifact.conftest import Built, build
from tests.emulator import emulator as find_emulator
from tests.lowering.networks import FAMILIES, make

pytestmark = pytest.mark.slow


def run(built: Built, cpu: str, model: str) -> subprocess.CompletedProcess[str]:
    qemu = find_emulator("qemu-aarch64")
    command = qemu.command([str(built.directory / f"{model}-bench"), "--check-only"], cpu=cpu)
    return subprocess.run(command, env=qemu.environment(), capture_output=True, text=True, check=False)


def error_of(finished: subprocess.CompletedProcess[str]) -> float:
    return float(json.loads(finished.stdout)["check"]["max_relative_error"])


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_of_operators(family: str, tmp_path: Path) -> None:
    path = make(family, tmp_path / "network.onnx")
    built = build(path, "cortex-a55-fp16", tmp_path / "artifact", model="network")
    finished = run(built, "cortex-a76", "network")
    error = error_of(finished)
    assert error <= HALF_TOLERANCE / 10
    target = find_target("cortex-a55-fp16")
    kinds = {buffer.dtype for buffer in read_program(schedule(lower(path, target), target)).buffers}
    if "float16" in kinds:
        assert error > 1e-5, "this is float32's error"


def test_it_is_smaller_and_says_so(built_for: Callable[[str], Built]) -> None:
    half, whole = built_for("cortex-a55-fp16").manifest, built_for("cortex-a55").manifest
    assert (half.precision, whole.precision) == ("float16", "float32")
    assert half.weight_bytes < 0.7 * whole.weight_bytes
    assert half.arena_bytes < 0.7 * whole.arena_bytes


def test_a_core_without_half_precision_refuses_it(built_for: Callable[[str], Built]) -> None:
    """QEMU's SIGILL shows that the sums really are computed in float16, not converted to and from it."""
    assert run(built_for("cortex-a55-fp16"), "cortex-a53", "lenet5").returncode != 0
    assert run(built_for("cortex-a55-fp16"), "cortex-a53", "lenet5").stdout == ""


def test_the_bound_is_the_precisions() -> None:
    assert tolerance_on(find_target("cortex-a55-fp16")) == HALF_TOLERANCE
    assert tolerance_on(find_target("cortex-a55")) == TOLERANCE


def test_its_answers_are_counted_on_the_emulated_board(
    built_for: Callable[[str], Built], onnx_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find_emulator("qemu-aarch64")
    target = find_target("cortex-a55-fp16")
    images = np.random.default_rng(5).standard_normal((40, 1, 28, 28)).astype(np.float32)
    expected = np.concatenate([run_onnx(onnx_path, [image[np.newaxis]])[0] for image in images])
    answers = evaluate._on_board(built_for("cortex-a55-fp16").directory, target, images)
    assert isinstance(answers, np.ndarray)
    assert np.abs(answers - expected).max() <= 1e-2 * np.abs(expected).max()
    assert (answers.argmax(axis=1) == expected.argmax(axis=1)).mean() >= 0.95
    monkeypatch.setattr(evaluate, "_EMULATED_SECONDS", 0.0)
    hurried = evaluate._on_board(built_for("cortex-a55-fp16").directory, target, images)
    assert isinstance(hurried, np.ndarray)
    np.testing.assert_array_equal(hurried, answers[: evaluate._EMULATED_CHUNK])
