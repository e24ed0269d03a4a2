"""The profile that the benchmark executable takes of a network: its steps, their nodes, and nobody else's burden."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from edgeprune.measuring import Measurement, measure
from edgeprune.recipe import Measure
from edgeprune.target import find_target
from tests.artifact.conftest import Built, build
from tests.emulator import emulator

NODES = [("conv_3",), ("maxpool_4",), ("conv_7",), ("maxpool_8",), ("flatten_9",), ("gemm_12", "relu_13"), ("gemm_16",)]


def profiled(directory: Path, target_name: str, *options: str) -> list[tuple[str, int]]:
    """Return name and number of samples of every step, run here or under the target's emulator."""
    argv = [str(directory / "lenet5-bench"), "--samples", "2", "--warmup", "1", "--profile", "3", *options]
    wanted = find_target(target_name).emulator
    environment = None
    if wanted is not None:
        qemu = emulator(wanted.program)
        argv, environment = qemu.command(argv, cpu=wanted.cpu), qemu.environment()
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return [(row["step"], len(row["samples_ns"])) for row in json.loads(done.stdout)["profile"]]


@pytest.mark.slow
@pytest.mark.parametrize("target", ["host", "rpi3", "cortex-a7"])
def test_every_step_is_timed_and_named(built_for: Callable[[str], Built], target: str) -> None:
    built = built_for(target)
    steps = built.manifest.steps
    assert [step.onnx_nodes for step in steps] == NODES
    expected = [(f"{step.kernel}: {', '.join(step.onnx_nodes)}", 3) for step in steps]
    assert profiled(built.directory, target) == expected


def test_work_and_bytes_of_every_step(host_artifact: Built) -> None:
    steps = host_artifact.manifest.steps
    assert [step.macs for step in steps] == [24 * 24 * 5 * 25, 0, 64 * 13 * 125, 0, 0, 208 * 31, 310]
    # Input, the kernels of 5 channels in rows of 8, bias, output: these have 8 channels as well.
    assert steps[0].bytes == 4 * (28 * 28 + 25 * 8 + 8 + 24 * 24 * 8)
    assert steps[4].bytes == 4 * (4 * 4 * 16 + 208)
    by_name = {kernel.name: kernel for kernel in host_artifact.manifest.kernels}
    assert all((by_name[step.kernel].flop, by_name[step.kernel].bytes) == (step.flop, step.bytes) for step in steps)


@pytest.mark.slow
def test_threads_are_timed_together(onnx_path: Path, tmp_path: Path) -> None:
    built = build(onnx_path, "host", tmp_path / "artifact", threads=2)
    names = [name.partition(": ")[0] for name, _ in profiled(built.directory, "host", "--threads", "2")]
    assert names == [step.kernel for step in built.manifest.steps]


def test_the_libraries_have_no_part_in_it(host_artifact: Built) -> None:
    for name in ("liblenet5.a", "liblenet5.so"):
        assert b"run_profiled" not in (host_artifact.directory / name).read_bytes()
    assert b"conv_7" not in (host_artifact.directory / "liblenet5.a").read_bytes()


def test_a_measurement_has_the_steps_and_what_they_achieve(host_artifact: Built) -> None:
    found = measure(host_artifact.directory, find_target("host"), Measure(protocol="quick"))
    assert isinstance(found, Measurement)
    assert [step.nodes for step in found.profile] == NODES
    assert found.roofline is not None
    assert found.roofline.total.flop == sum(step.flop for step in host_artifact.manifest.steps)
    assert found.roofline.total.flop_per_s == pytest.approx(found.roofline.total.flop * 1e9 / found.latency.p50)
    assert found.roofline.peak.absent is not None
