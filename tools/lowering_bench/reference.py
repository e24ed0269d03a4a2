"""The same network in float64: how far rounding alone takes ONNX Runtime's answers off, and ours.

Two engines that sum in another order differ by rounding, which some networks amplify. Where an artifact is further from
ONNX Runtime than its tolerance, only the exact answer can tell whose error that is.
"""

from __future__ import annotations

import ctypes
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edgeprune.artifact import Manifest
from edgeprune.onnx_reference import made_records

TIMES = 2.0
"""An artifact may be so many times as far from the float64 answer as ONNX Runtime is."""
MOST = 1e-2
"""Where ONNX Runtime's own error is larger than that, nothing can be told of a network."""
_EXACT, _RECORDS = "float64.npy", "records.npy"


def write_exact_answers(network: nn.Module, onnx_path: Path, shape: tuple[int, ...], folder: Path) -> float:
    """Write golden inputs and ``network``'s float64 answers to ``folder``; return ONNX Runtime's error.

    The network is float64 afterwards, and so is what torch makes in this process.
    """
    records, answers = made_records(onnx_path)
    torch.set_default_dtype(torch.float64)
    network.double()
    with torch.no_grad():
        exact = [_flat(network(torch.from_numpy(record).double().reshape(1, *shape))) for record in records]
    np.save(folder / _RECORDS, records)
    np.save(folder / _EXACT, np.stack(exact))
    return _error(answers, np.stack(exact))


def artifacts_error(artifact: Path, folder: Path) -> float:
    """Return how far the answers of an artifact for this machine are from those that `write_exact_answers` wrote."""
    manifest = Manifest.read(artifact)
    run = getattr(ctypes.CDLL(str(artifact / f"lib{manifest.model}.so")), f"{manifest.model}_run")
    run.argtypes = [ctypes.c_void_p] * (1 + len(manifest.inputs) + len(manifest.outputs))
    memory = np.zeros(manifest.arena_bytes + 64, dtype=np.uint8)
    arena = memory.ctypes.data + -memory.ctypes.data % 64
    answers = []
    for record in np.load(folder / _RECORDS):
        inputs = np.split(record, np.cumsum([spec.elements for spec in manifest.inputs])[:-1])
        outputs = [np.zeros(spec.elements, dtype=np.float32) for spec in manifest.outputs]
        code = run(arena, *(tensor.ctypes.data for tensor in (*inputs, *outputs)))
        assert code == 0, f"the library returned {code}"
        answers.append(np.concatenate(outputs))
    return _error(np.stack(answers), np.load(folder / _EXACT))


def rounding_explains(ours: float, onnxruntime: float) -> bool:
    """Tell whether an artifact off by ``ours`` is no further from float64 than ONNX Runtime's error lets expect."""
    return onnxruntime <= MOST and ours <= TIMES * onnxruntime


def _flat(answer: Tensor | tuple[Tensor, ...]) -> NDArray[np.float64]:
    tensors = [answer] if isinstance(answer, Tensor) else list(answer)
    return np.concatenate([tensor.double().numpy().ravel() for tensor in tensors])


def _error(answers: NDArray[np.generic], exact: NDArray[np.float64]) -> float:
    """Return the largest difference of a record over its largest value, as the artifact's own check does."""
    differences = np.abs(answers.astype(np.float64) - exact).max(axis=1)
    return float((differences / np.abs(exact).max(axis=1)).max())
