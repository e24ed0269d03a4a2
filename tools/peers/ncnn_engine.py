"""ncnn on the CPU, float32 throughout, converted by pnnx; strided slices, which it has not, become poolings."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from peers.engine import Engine, Refused, Signature, Tensor

_PATIENCE_S = 300


class _Ncnn:
    def __init__(self, stem: Path, signature: Signature, threads: int) -> None:
        import ncnn

        self._ncnn = ncnn
        self._net = ncnn.Net()
        options = self._net.opt
        options.num_threads = threads
        options.use_vulkan_compute = False
        for name in ("fp16_packed", "fp16_storage", "fp16_arithmetic", "bf16_storage", "int8_inference"):
            if hasattr(options, f"use_{name}"):
                setattr(options, f"use_{name}", False)
        if self._net.load_param(f"{stem}.ncnn.param") != 0 or self._net.load_model(f"{stem}.ncnn.bin") != 0:
            raise Refused("it cannot load what pnnx wrote")
        self._count = len(signature.outputs)
        self._inputs: list[object] = []
        self._outputs: list[object] = []
        self.version = ncnn.__version__

    def set_inputs(self, inputs: Sequence[Tensor]) -> None:
        """A batch has no place in ncnn: the one of 1 is taken off."""
        if any(value.ndim < 2 or value.shape[0] != 1 for value in inputs):
            raise Refused("an input has no batch of 1")
        self._inputs = [self._ncnn.Mat(np.ascontiguousarray(value[0])).clone() for value in inputs]

    def infer(self) -> None:
        with self._net.create_extractor() as extractor:
            for index, value in enumerate(self._inputs):
                extractor.input(f"in{index}", value)
            found = [extractor.extract(f"out{index}") for index in range(self._count)]
        if any(code != 0 for code, _ in found):
            raise Refused("an inference failed: a layer is not supported as pnnx wrote it")
        self._outputs = [value for _, value in found]

    def outputs(self) -> list[Tensor]:
        return [np.array(value, dtype=np.float32) for value in self._outputs]


def prepare(network: Path, signature: Signature, threads: int, scratch: Path) -> Path:
    """Return the stem of the two files in ncnn's format."""
    # Not above: where the engine only loads what was prepared elsewhere there is no onnx.
    from peers.strided_slices import write_with_pooling

    try:
        import ncnn  # noqa: F401
    except ImportError as error:
        raise Refused("not installed: pip install ncnn pnnx") from error
    beside = Path(sys.executable).parent / "pnnx"
    pnnx = str(beside) if beside.is_file() else shutil.which("pnnx")
    if pnnx is None:
        raise Refused("its converter is not installed: pip install pnnx")
    copy = scratch / "network.onnx"
    write_with_pooling(network, copy)
    shapes = ",".join(f"[{','.join(map(str, shape))}]" for _, shape in signature.inputs)
    command = [pnnx, copy.name, f"inputshape={shapes}", "fp16=0"]
    done = subprocess.run(command, cwd=scratch, capture_output=True, text=True, timeout=_PATIENCE_S, check=False)
    if done.returncode != 0 or not (scratch / "network.ncnn.param").is_file():
        raise Refused(f"its converter pnnx fails: {(done.stderr.strip().splitlines() or ['no message'])[-1]}")
    return scratch / "network"


def load(prepared: Path, signature: Signature, threads: int) -> Engine:
    """Return the network in ncnn."""
    return _Ncnn(prepared, signature, threads)
