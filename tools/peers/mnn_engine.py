"""MNN on its CPU backend, precision "high" (float32), converted by its own converter.

The converter is called through the extension module: the package's command line installs a logging package of its own
and sends what it converted to a server.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from peers.engine import Engine, Refused, Signature, Tensor


class _Mnn:
    def __init__(self, converted: Path, signature: Signature, threads: int) -> None:
        import MNN

        self._mnn = MNN
        settings = {"backend": "CPU", "numThread": threads, "precision": "high", "memory": "normal", "power": "high"}
        self._runtime = MNN.nn.create_runtime_manager((settings,))
        names = [name for name, _ in signature.inputs], [name for name, _ in signature.outputs]
        self._network = MNN.nn.load_module_from_file(str(converted), *names, runtime_manager=self._runtime)
        self._inputs: list[object] = []
        self._outputs: list[object] = []
        self.version = MNN.version()

    def set_inputs(self, inputs: Sequence[Tensor]) -> None:
        expr = self._mnn.expr
        self._inputs = [expr.const(value, list(value.shape), expr.NCHW) for value in inputs]

    def infer(self) -> None:
        self._outputs = list(self._network.forward(self._inputs))
        for output in self._outputs:  # what is not read may not be computed
            output.read()  # type: ignore[attr-defined]

    def outputs(self) -> list[Tensor]:
        expr = self._mnn.expr
        return [np.array(expr.convert(output, expr.NCHW).read(), dtype=np.float32) for output in self._outputs]


def prepare(network: Path, signature: Signature, threads: int, scratch: Path) -> Path:
    """Return the network in MNN's format."""
    try:
        import _tools
    except ImportError as error:
        raise Refused("not installed: pip install MNN") from error
    converted = scratch / "network.mnn"
    options = ["--modelFile", str(network), "--MNNModel", str(converted), "--bizCode", "edgeprune"]
    _tools.mnnconvert(["mnnconvert", "-f", "ONNX", *options])
    if not converted.is_file():
        raise Refused("its converter wrote no file")
    return converted


def load(prepared: Path, signature: Signature, threads: int) -> Engine:
    """Return the network in MNN."""
    return _Mnn(prepared, signature, threads)
