"""What measuring needs of an artifact directory: its benchmark executable and the shapes of its tensors."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeprune.errors import UserError


@dataclass(frozen=True)
class Step:
    """One step of an inference: a kernel's call, the ONNX nodes it computes, its FLOP, and the bytes it must move."""

    kernel: str
    nodes: tuple[str, ...]
    flop: int
    bytes: int


@dataclass(frozen=True)
class BenchArtifact:
    """An artifact's benchmark executable.

    ``model`` and ``variant`` ("dense", "pruned") as the manifest has them; the shapes are those of the network's
    float32 inputs and outputs, batch included; ``steps`` are in the order of execution.
    """

    model: str
    variant: str
    executable: Path
    input_shapes: tuple[tuple[int, ...], ...]
    output_shapes: tuple[tuple[int, ...], ...]
    steps: tuple[Step, ...] = ()
    precision: str = "float32"

    @property
    def input_elements(self) -> int:
        """Values of one record: all inputs concatenated."""
        return sum(math.prod(shape) for shape in self.input_shapes)

    @property
    def output_elements(self) -> int:
        """Values of one answer: all outputs concatenated."""
        return sum(math.prod(shape) for shape in self.output_shapes)

    @staticmethod
    def load(directory: Path) -> BenchArtifact:
        """Read ``directory/manifest.json``.

        Raises:
            UserError: the directory holds no artifact, or one with other than float32 tensors.
        """
        manifest_file = directory / "manifest.json"
        try:
            manifest = json.loads(manifest_file.read_text())
            model, variant = str(manifest["model"]), str(manifest["variant"])
            tensors = [*manifest["inputs"], *manifest["outputs"]]
            shapes = [tuple(int(size) for size in tensor["shape"]) for tensor in tensors]
            kinds = {str(tensor["dtype"]) for tensor in tensors}
            steps = tuple(_step(entry) for entry in manifest["steps"])
            precision = str(manifest["precision"])
        except FileNotFoundError as error:
            raise UserError(f"{directory}: no artifact here (manifest.json is missing); build one first") from error
        except (json.JSONDecodeError, KeyError, TypeError, ValueError) as error:
            raise UserError(f"{manifest_file}: not an artifact's manifest: {error!r}; build it again") from error
        if kinds != {"float32"}:
            raise UserError(f"{manifest_file}: tensors of {', '.join(sorted(kinds))}; only float32 can be measured")
        executable = directory / f"{model}-bench"
        if not executable.is_file():
            raise UserError(f"{executable}: the benchmark executable is missing; build the artifact again")
        inputs = len(manifest["inputs"])
        ins, outs = tuple(shapes[:inputs]), tuple(shapes[inputs:])
        return BenchArtifact(model, variant, executable, ins, outs, steps, precision)


def _step(entry: Mapping[str, Any]) -> Step:
    return Step(str(entry["kernel"]), tuple(entry["onnx_nodes"]), int(entry["flop"]), int(entry["bytes"]))
