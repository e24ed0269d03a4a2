"""OpenVINO on its CPU plugin, float32, one stream."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from peers.engine import Engine, Refused, Signature, Tensor


class _OpenVino:
    def __init__(self, network: Path, signature: Signature, threads: int) -> None:
        import openvino

        options = {
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
            "INFERENCE_PRECISION_HINT": "f32",
            "PERFORMANCE_HINT": "LATENCY",
            "ENABLE_CPU_PINNING": False,
        }
        core = openvino.Core()
        compiled = core.compile_model(core.read_model(str(network)), "CPU", options)
        self._request = compiled.create_infer_request()
        self._inputs: dict[int, Tensor] = {}
        self._count = len(signature.outputs)
        self.version = openvino.__version__

    def set_inputs(self, inputs: Sequence[Tensor]) -> None:
        self._inputs = dict(enumerate(inputs))

    def infer(self) -> None:
        self._request.infer(self._inputs)

    def outputs(self) -> list[Tensor]:
        return [self._request.get_output_tensor(index).data.copy() for index in range(self._count)]


def prepare(network: Path, signature: Signature, threads: int, scratch: Path) -> Path:
    """Return the ONNX file itself."""
    return network


def load(prepared: Path, signature: Signature, threads: int) -> Engine:
    """Return the network in OpenVINO."""
    try:
        return _OpenVino(prepared, signature, threads)
    except ImportError as error:
        raise Refused("not installed: pip install openvino") from error
