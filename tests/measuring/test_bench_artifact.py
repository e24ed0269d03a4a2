import json
from pathlib import Path
from typing import Any

import pytest

from edgeprune.errors import UserError
from edgeprune.measuring.bench_artifact import BenchArtifact, Step

TENSOR = {"name": "x", "shape": [1, 2, 3], "dtype": "float32"}
MANIFEST: dict[str, Any] = {
    "model": "net", "variant": "pruned", "inputs": [TENSOR, TENSOR], "outputs": [TENSOR],
    "precision": "float32", "steps": [{"kernel": "k", "onnx_nodes": ["a"], "macs": 4, "flop": 8, "bytes": 12}],
}  # fmt: skip


def write(directory: Path, manifest: dict[str, Any], executable: bool = True) -> Path:
    (directory / "manifest.json").write_text(json.dumps(manifest))
    if executable:
        (directory / "net-bench").write_bytes(b"")
    return directory


def test_elements_are_counted_over_all_tensors(tmp_path: Path) -> None:
    artifact = BenchArtifact.load(write(tmp_path, MANIFEST))
    assert (artifact.variant, artifact.input_elements, artifact.output_elements) == ("pruned", 12, 6)
    assert artifact.steps == (Step("k", ("a",), flop=8, bytes=12),)


@pytest.mark.parametrize(
    ("manifest", "executable", "message"),
    [
        ({**MANIFEST, "inputs": [{**TENSOR, "dtype": "int8"}]}, True, "tensors of float32, int8; only float32"),
        ({"model": "net"}, True, "not an artifact's manifest: KeyError"),
        (MANIFEST, False, "net-bench: the benchmark executable is missing"),
    ],
)
def test_what_is_no_artifact(tmp_path: Path, manifest: dict[str, Any], executable: bool, message: str) -> None:
    with pytest.raises(UserError, match=message):
        BenchArtifact.load(write(tmp_path, manifest, executable))


def test_an_empty_directory(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no artifact here"):
        BenchArtifact.load(tmp_path)
