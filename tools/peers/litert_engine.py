"""LiteRT (TensorFlow Lite) with its XNNPACK delegate, converted by onnx2tf.

onnx2tf pins TensorFlow, numpy 1 and an older onnx, so that it cannot lie in one environment with edgeprune: the program
is found on PATH or named by $EDGEPRUNE_ONNX2TF, and runs in an environment of its own.
"""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from peers.engine import Engine, Refused, Signature, Tensor

_PATIENCE_S = 600

# onnx2tf tries images of three channels with these pictures, and downloads them where no such file lies: nothing of
# the result depends on them, and not every machine reaches the place.
_SAMPLES, _SAMPLES_SHAPE = "calibration_image_sample_data_20x128x128x3_float32.npy", (20, 128, 128, 3)


class _LiteRt:
    def __init__(self, converted: Path, signature: Signature, threads: int) -> None:
        interpreter, self.version = _interpreter()
        self._interpreter = interpreter(str(converted), num_threads=threads)
        self._interpreter.allocate_tensors()
        self._sources = self._interpreter.get_input_details()
        self._sinks = self._interpreter.get_output_details()
        if len(self._sources) != 1 or len(self._sinks) != 1:
            raise Refused("onnx2tf renames tensors, so that only networks of one input and one output are compared")
        self._shape = signature.outputs[0][1]

    def set_inputs(self, inputs: Sequence[Tensor]) -> None:
        """Images become channels-last, as onnx2tf turns them; the transposition is not part of an inference."""
        value, wanted = inputs[0], tuple(self._sources[0]["shape"])
        if value.ndim == 4 and value.shape != wanted:
            value = np.ascontiguousarray(value.transpose(0, 2, 3, 1))
        if value.shape != wanted:
            raise Refused(f"onnx2tf gave the input the shape {wanted}")
        self._interpreter.set_tensor(self._sources[0]["index"], value)

    def infer(self) -> None:
        self._interpreter.invoke()

    def outputs(self) -> list[Tensor]:
        value = self._interpreter.get_tensor(self._sinks[0]["index"])
        if value.ndim == 4 and value.shape != self._shape:
            value = value.transpose(0, 3, 1, 2)
        return [np.array(value, dtype=np.float32)]


def _interpreter() -> tuple[Any, str]:
    """Return the class and the version: of LiteRT, or of its predecessor, the last one published for 32-bit ARM."""
    try:
        module = importlib.import_module("ai_edge_litert.interpreter")
    except ImportError:
        module = importlib.import_module("tflite_runtime.interpreter")
        return module.Interpreter, f"tflite-runtime {version('tflite-runtime')}"
    return module.Interpreter, version("ai-edge-litert")


def prepare(network: Path, signature: Signature, threads: int, scratch: Path) -> Path:
    """Return the network in LiteRT's format."""
    try:
        import ai_edge_litert  # noqa: F401
    except ImportError as error:
        raise Refused("not installed: pip install ai-edge-litert") from error
    program = os.environ.get("EDGEPRUNE_ONNX2TF") or shutil.which("onnx2tf")
    if program is None:
        raise Refused(
            "its converter is not here: pip install onnx2tf in an environment of its own, and name the program in "
            "$EDGEPRUNE_ONNX2TF"
        )
    np.save(scratch / _SAMPLES, np.random.default_rng(0).random(_SAMPLES_SHAPE, dtype=np.float32))
    # onnx2tf writes the network it has simplified over the one it was given.
    own = shutil.copyfile(network, scratch / "network.onnx")
    command = [program, "-i", str(own), "-o", str(scratch), "-n"]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        command, cwd=scratch, env=environment, capture_output=True, text=True, timeout=_PATIENCE_S, check=False
    )
    found = sorted(scratch.glob("*_float32.tflite"))
    if done.returncode != 0 or not found:
        lines = (done.stderr.strip() or done.stdout.strip()).splitlines() or ["no message"]
        raise Refused(f"its converter onnx2tf fails: {lines[-1]}")
    return found[0]


def load(prepared: Path, signature: Signature, threads: int) -> Engine:
    """Return the network in LiteRT."""
    return _LiteRt(prepared, signature, threads)
