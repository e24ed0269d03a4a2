"""A masked torch network, exported and compacted as a file, is as small as when torch's own graph is compacted."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import onnx
import pytest
import torch
from onnx import numpy_helper
from torch import nn

from edgeprune.exporting import export_onnx
from edgeprune.models import dscnn, lenet5
from edgeprune.onnx_pruning import compact_onnx
from edgeprune.pruning import prune
from edgeprune.recipe import Prune
from tests.pruning import pruning_networks as zoo
from tests.pruning.test_random_graphs import Graph

DIGIT = torch.randn(1, 1, 28, 28, generator=torch.Generator().manual_seed(1))
IMAGE = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))


def weights(path: Path) -> Counter[tuple[int, ...]]:
    """Return how often each shape of a weight of two or more axes is stored."""
    values = [numpy_helper.to_array(tensor) for tensor in onnx.load(str(path)).graph.initializer]
    return Counter(value.shape for value in values if value.dtype.kind == "f" and value.ndim > 1)


@pytest.mark.parametrize(
    ("network", "example"),
    [
        (lenet5(), DIGIT),
        (dscnn(width=8), DIGIT),
        (zoo.ResNet(), IMAGE),
        (zoo.Concat(), IMAGE),
        (zoo.Chunk(), IMAGE),
        (zoo.Shuffle(), IMAGE),
        (zoo.SqueezeExcite(), IMAGE),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else "",
)
def test_an_exported_masked_network_becomes_as_small_as_in_torch(
    network: nn.Module, example: torch.Tensor, tmp_path: Path
) -> None:
    result = prune(zoo.randomised(network, dtype=torch.float32), (example,), Prune(amount=0.5))
    assert result.plan.parameters_after < result.plan.parameters_before
    export_onnx(result.masked, example, tmp_path / "masked.onnx")
    export_onnx(result.compact, example, tmp_path / "expected.onnx")
    plan = compact_onnx(tmp_path / "masked.onnx", tmp_path / "small.onnx")
    assert weights(tmp_path / "small.onnx") == weights(tmp_path / "expected.onnx")
    assert plan.macs == (result.plan.macs_before, result.plan.macs_after)


STRUCTURES = [
    *("LayerNormed", "RmsNormed", "GroupNormed", "InstanceNormed", "SpaceGate", "Glu", "Pixels", "Direct"),
    *("Attention", "Windows", "Padded", "Transposed", "Multiplied", "Split", "Rows"),
]


@pytest.mark.slow
@pytest.mark.parametrize("kind", STRUCTURES)
def test_structures_of_transformers_and_gates_become_as_small_too(kind: str, tmp_path: Path) -> None:
    example = torch.randn(1, 3, 4, 4, generator=torch.Generator().manual_seed(1))
    network = zoo.randomised(Graph([kind], skip=False, flat=False), dtype=torch.float32)
    result = prune(network, (example,), Prune(amount=0.5))
    export_onnx(result.masked, example, tmp_path / "masked.onnx")
    export_onnx(result.compact, example, tmp_path / "expected.onnx")
    plan = compact_onnx(tmp_path / "masked.onnx", tmp_path / "small.onnx")
    assert weights(tmp_path / "small.onnx") == weights(tmp_path / "expected.onnx")
    assert plan.notes == ()
    assert all(found.relative_error < 1e-5 for found in plan.parity)
