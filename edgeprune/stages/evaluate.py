"""Evaluate: the test split, read once, through the ONNX files and the binaries that run on this machine."""

from __future__ import annotations

import time
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
# An emulator needs a hundred times the board's time: it answers the first so many test samples, or what it gets done.
_EMULATED_SAMPLES = 500
_EMULATED_CHUNK = 25
_EMULATED_SECONDS = 180.0


def evaluate(
    recipe: Recipe, export: Path, build: Path, boards: tuple[Target, ...], out: Path, progress: Progress
) -> None:
    """Write ``accuracy.json``: per variant, counts for ``onnx`` and for each of ``boards`` that answers.

    ``correct`` of ``total`` agree with the label, ``as_onnx`` with ONNX Runtime's answer to the same sample.

    A board that runs here answers the whole test split, an emulated one as many of its first samples as it gets done
    in three minutes, 500 at most; one whose emulator is not here has no entry.
    """
    splits = load_splits(recipe.data, recipe.seed, tuple(recipe.model.input_shape), progress)
    inputs, labels = _stack(splits.test)
    progress.stage("evaluate on the test split", len(VARIANTS) * (1 + len(boards)))
    sizes = {name: len(getattr(splits, name)) for name in ("train", "validation", "test")}
    found: dict[str, Any] = {"data": splits.describe(), "sizes": sizes}
    for variant in VARIANTS:
        answers = {"onnx": run_onnx(export / f"{variant}.onnx", inputs)}
        progress.advance(f"{variant}.onnx")
        for target in boards:
            outputs = _on_board(build / target.name / variant, target, inputs)
            if isinstance(outputs, Unavailable):
                progress.note(f"{variant} on {target.name}: not run: {outputs.reason}; {outputs.mend}")
            else:
                answers[target.name] = outputs
            progress.advance(f"{variant} on {target.name}")
        found[variant] = {where: _count(outputs, labels, answers["onnx"]) for where, outputs in answers.items()}
    write_json(out / ACCURACY, found)


def _on_board(artifact: Path, target: Target, inputs: NDArray[np.float32]) -> NDArray[np.float32] | Unavailable:
    if target.emulated:
        return _emulated(artifact, target, inputs[:_EMULATED_SAMPLES])
    answers = run_inputs(artifact, target, inputs)
    if isinstance(answers, Unavailable):
        raise StageFailure(f"{target.name}: {answers.reason}; {answers.mend}")
    return answers


def _emulated(artifact: Path, target: Target, inputs: NDArray[np.float32]) -> NDArray[np.float32] | Unavailable:
    answered: list[NDArray[np.float32]] = []
    until = time.monotonic() + _EMULATED_SECONDS
    for start in range(0, len(inputs), _EMULATED_CHUNK):
        answers = run_inputs(artifact, target, inputs[start : start + _EMULATED_CHUNK])
        if isinstance(answers, Unavailable):
            return answers
        answered.append(answers)
        if time.monotonic() > until:
            break
    return np.concatenate(answered)


def _stack(dataset: Any) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    samples = [dataset[index] for index in range(len(dataset))]
    inputs = np.stack([np.asarray(sample, dtype=np.float32) for sample, _ in samples])
    return inputs, np.array([int(label) for _, label in samples])


def _count(outputs: NDArray[np.float32], labels: NDArray[np.int64], onnx: NDArray[np.float32]) -> dict[str, int]:
    total = len(outputs)
    answered = outputs.reshape(total, -1).argmax(axis=1)
    as_onnx = onnx[:total].reshape(total, -1).argmax(axis=1)
    return {
        "correct": int((answered == labels[:total]).sum()),
        "total": total,
        "as_onnx": int((answered == as_onnx).sum()),
    }
