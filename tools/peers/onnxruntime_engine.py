"""ONNX Runtime on its CPU provider: the reference the others' outputs are held against."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from peers.engine import Engine, Refused, Signature, Tensor


class _OnnxRuntime:
    def __init__(self, network: Path, signature: Signature, threads: int) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(str(network), options, providers=["CPUExecutionProvider"])
        self._names = [name for name, _ in signature.inputs]
        self._feeds: dict[str, Tensor] = {}
        self._outputs: list[Tensor] = []
        self.version = onnxruntime.__version__

    def set_inputs(self, inputs: Sequence[Tensor]) -> None:
        self._feeds = dict(zip(self._names, inputs, strict=True))

    def infer(self) -> None:
        self._outputs = self._session.run(None, self._feeds)

    def outputs(self) -> list[Tensor]:
        return self._outputs


def prepare(network: Path, signature: Signature, threads: int, scratch: Path) -> Path:
    """Return the ONNX file itself."""
    return network


def load(prepared: Path, signature: Signature, threads: int) -> Engine:
    """Return the network in ONNX Runtime."""
    try:
        return _OnnxRuntime(prepared, signature, threads)
    except ImportError as error:
        raise Refused(f"not installed: {error}") from error
