"""Evaluate: the test split, read once, through the ONNX files and the binaries that run on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeprune.data import load_splits
from edgeprune.emulation import Unavailable
from edgeprune.errors import StageFailure
from edgeprune.measuring import run_inputs
from edgeprune.onnx_reference import run_onnx
from edgeprune.pipeline.stage import write_json
from edgeprune.progress import Progress
from edgeprune.recipe import Recipe
from edgeprune.stages.variant import VARIANTS
from edgeprune.target import Target

ACCURACY = "accuracy.json"


def evaluate(
    recipe: Recipe, export: Path, build: Path, local: tuple[Target, ...], out: Path, progress: Progress
) -> None:
    """Write ``accuracy.json``: per variant, correct and total for ``onnx`` and for each board that runs here."""
    splits = load_splits(recipe.data, recipe.seed, tuple(recipe.model.input_shape), progress)
    inputs, labels = _stack(splits.test)
    progress.stage("evaluate on the test split", len(VARIANTS) * (1 + len(local)))
    sizes = {name: len(getattr(splits, name)) for name in ("train", "validation", "test")}
    found: dict[str, Any] = {"data": splits.describe(), "sizes": sizes}
    for variant in VARIANTS:
        answers = {"onnx": run_onnx(export / f"{variant}.onnx", inputs)}
        progress.advance(f"{variant}.onnx")
        for target in local:
            answers[target.name] = _on_board(build / target.name / variant, target, inputs)
            progress.advance(f"{variant} on {target.name}")
        found[variant] = {where: _count(outputs, labels) for where, outputs in answers.items()}
    write_json(out / ACCURACY, found)


def _on_board(artifact: Path, target: Target, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    answers = run_inputs(artifact, target, inputs)
    if isinstance(answers, Unavailable):
        raise StageFailure(f"{target.name}: {answers.reason}; {answers.mend}")
    return answers


def _stack(dataset: Any) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    samples = [dataset[index] for index in range(len(dataset))]
    inputs = np.stack([np.asarray(sample, dtype=np.float32) for sample, _ in samples])
    return inputs, np.array([int(label) for _, label in samples])


def _count(outputs: NDArray[np.float32], labels: NDArray[np.int64]) -> dict[str, int]:
    correct = int((outputs.reshape(len(labels), -1).argmax(axis=1) == labels).sum())
    return {"correct": correct, "total": len(labels)}
