"""edgeprune's own artifact for this machine: the shared library, called as a C program would."""

from __future__ import annotations

import ctypes
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from peers.engine import Engine, Refused, Signature, Tensor

_ALIGNMENT = 64
_PATIENCE_S = 900


class _Artifact:
    def __init__(self, directory: Path, signature: Signature, threads: int) -> None:
        manifest = json.loads((directory / "manifest.json").read_text())
        model = manifest["model"]
        self._library = ctypes.CDLL(str(directory / f"lib{model}.so"))
        self._run = self._library[f"{model}_run"]
        arena_bytes = self._library[f"{model}_arena_bytes"]
        arena_bytes.restype = ctypes.c_size_t
        self._arena = np.zeros(arena_bytes() + _ALIGNMENT, dtype=np.uint8)
        if threads > 1 and self._library[f"{model}_set_threads"](threads) != 0:
            raise Refused(f"{threads} threads cannot be had")
        self._outputs = [np.zeros(shape, dtype=np.float32) for _, shape in signature.outputs]
        self._inputs: list[Tensor] = []
        self._arguments: list[ctypes.c_void_p] = []
        self.version = schedules_of(directory)

    def set_inputs(self, inputs: Sequence[Tensor]) -> None:
        self._inputs = [np.ascontiguousarray(value) for value in inputs]
        base = self._arena.ctypes.data
        arena = (base + _ALIGNMENT - 1) // _ALIGNMENT * _ALIGNMENT
        tensors = [value.ctypes.data for value in (*self._inputs, *self._outputs)]
        self._arguments = [ctypes.c_void_p(address) for address in (arena, *tensors)]

    def infer(self) -> None:
        if self._run(*self._arguments) != 0:
            raise Refused("an inference failed")

    def outputs(self) -> list[Tensor]:
        return [value.copy() for value in self._outputs]


def prepare(network: Path, signature: Signature, threads: int, scratch: Path) -> Path:
    """Return the directory of an artifact for this machine."""
    return build(network, "host", threads, scratch / "artifact")


def schedules_of(directory: Path) -> str:
    """Return in words how many kernels of the artifact have a tuned schedule."""
    kernels = json.loads((directory / "manifest.json").read_text())["kernels"]
    tuned = sum(kernel["tuned"] for kernel in kernels)
    return f"{tuned} of {len(kernels)} kernels tuned" if tuned else "default schedules"


def build(network: Path, target: str, threads: int, out: Path) -> Path:
    """Return ``out``, into which ``edgeprune build`` has written an artifact for ``target``.

    Raises:
        Refused: it could not; the message is its last line.
    """
    command = [sys.executable, "-m", "edgeprune", "build", str(network), "--target", target, "--name", "network"]
    command += ["--threads", str(threads), "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE_S, check=False)
    if done.returncode != 0:
        raise Refused(f"edgeprune build: {(done.stderr.strip().splitlines() or ['no message'])[-1]}")
    return out


def load(prepared: Path, signature: Signature, threads: int) -> Engine:
    """Return the artifact."""
    return _Artifact(prepared, signature, threads)
