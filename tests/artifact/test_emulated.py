"""Artifacts for ARM boards run on the emulated CPU, which refuses every instruction that CPU lacks."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from edgeprune.target import find_target, list_targets
from tests.artifact.conftest import Built, build
from tests.emulator import emulator as find_emulator
from tests.lowering.networks import FAMILIES, Graph, make

pytestmark = pytest.mark.slow
ARM_TARGETS = sorted(name for name in list_targets() if find_target(name).emulated)
OTHER_CPUS = {"aarch64": ("cortex-a53", "cortex-a72", "cortex-a76"), "armv7": ("cortex-a7", "cortex-a9")}


def check(built: Built, target_name: str, cpu: str, model: str = "lenet5") -> dict[str, object]:
    emulator = find_target(target_name).emulator
    assert emulator is not None
    qemu = find_emulator(emulator.program)
    command = qemu.command([str(built.directory / f"{model}-bench"), "--check-only"], cpu=cpu)
    finished = subprocess.run(command, env=qemu.environment(), capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr + finished.stdout
    result = json.loads(finished.stdout)["check"]
    assert isinstance(result, dict)
    return result


@pytest.mark.parametrize("target_name", ARM_TARGETS)
def test_lenet5_on_every_target(target_name: str, built_for: Callable[[str], Built]) -> None:
    built = built_for(target_name)
    emulator = find_target(target_name).emulator
    assert emulator is not None
    result = check(built, target_name, emulator.cpu)
    assert result["passed"] is True
    largest = 1e-5 if find_target(target_name).cpu.precision == "float32" else 5e-3
    assert float(str(result["max_relative_error"])) <= largest
    assert built.manifest.code_bytes <= 24 * 1024
    assert built.manifest.files["lenet5-bench"].bytes <= built.manifest.weight_bytes + 64 * 1024


@pytest.mark.parametrize("target_name", ["aarch64", "armv7"])
def test_generic_artifacts_run_on_every_cpu_of_the_family(target_name: str, built_for: Callable[[str], Built]) -> None:
    for cpu in OTHER_CPUS[target_name]:
        assert check(built_for(target_name), target_name, cpu)["passed"] is True


@pytest.mark.parametrize("target_name", ["rpi3", "cortex-a7"])
@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_of_operators(family: str, target_name: str, tmp_path: Path) -> None:
    path = make(family, tmp_path / "network.onnx")
    built = build(path, target_name, tmp_path / "artifact", model="network")
    emulator = find_target(target_name).emulator
    assert emulator is not None
    assert check(built, target_name, emulator.cpu, model="network")["passed"] is True
    assert built.manifest.arena_bytes <= max(64, 1.1 * built.manifest.arena_bound_bytes + 64 * 8)


@pytest.mark.parametrize("target_name", ["rpi3", "cortex-a7"])
def test_an_image_moved_to_channels_first_arrives_whole(target_name: str, tmp_path: Path) -> None:
    """LLVM's merging of ARM's stores once lost the last three of these 36 pixels in every channel."""
    graph = Graph()
    path = graph.save(tmp_path / "network.onnx", graph.node("Transpose", graph.input(1, 6, 6, 64), perm=[0, 3, 1, 2]))
    built = build(path, target_name, tmp_path / "artifact", model="network")
    emulator = find_target(target_name).emulator
    assert emulator is not None
    assert check(built, target_name, emulator.cpu, model="network")["max_relative_error"] == 0.0
