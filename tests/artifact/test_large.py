"""A network of ResNet-50's size is built in a minute and in two gibibytes."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from tests.lowering.networks import Graph, conv


def _unit(graph: Graph, data: str, inputs: int, outputs: int, size: int, stride: int = 1, *, relu: bool = True) -> str:
    pad = [(size - 1) // 2] * 4
    data = conv(graph, data, inputs, outputs, size, pads=pad, strides=[stride, stride])
    return graph.node("Relu", data) if relu else data


def resnet50(path: Path) -> Path:
    graph = Graph(seed=50)
    data = _unit(graph, graph.input(1, 3, 224, 224), 3, 64, 7, 2)
    data = graph.node("MaxPool", data, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    inputs = 64
    for width, blocks, first_stride in ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)):
        for block in range(blocks):
            stride = first_stride if block == 0 else 1
            shortcut = _unit(graph, data, inputs, 4 * width, 1, stride, relu=False) if block == 0 else data
            data = _unit(graph, _unit(graph, data, inputs, width, 1), width, width, 3, stride)
            data = graph.node("Relu", graph.node("Add", _unit(graph, data, width, 4 * width, 1, relu=False), shortcut))
            inputs = 4 * width
    data = graph.node("Flatten", graph.node("GlobalAveragePool", data))
    return graph.save(path, graph.node("Gemm", data, graph.weight(1000, 2048), graph.weight(1000), transB=1))


@pytest.mark.slow
def test_resnet50(tmp_path: Path) -> None:
    path = resnet50(tmp_path / "resnet50.onnx")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    (tmp_path / "small.toml").write_text('extends = "rpi4"\n[cpu]\nwinograd = false\n')
    command = [sys.executable, "-m", "edgeprune", "build", str(path), "--target", "small.toml", "--out", "out"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    # Seconds of one core: what others do on this machine does not count.
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime <= 60
    assert after.ru_maxrss <= 2 * 1024 * 1024
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["weight_bytes"] == 4 * 25_530_472
    assert manifest["files"]["resnet50-bench"]["bytes"] <= manifest["weight_bytes"] + 160 * 1024
    assert manifest["arena_bytes"] <= 1.1 * manifest["arena_bound_bytes"]
