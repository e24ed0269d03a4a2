"""What an inference engine has to do to be compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Tensor = NDArray[np.float32]


class Refused(Exception):
    """The engine cannot take this network, or is not installed; the message is the reason given in the result."""


@dataclass(frozen=True)
class Signature:
    """The network's tensors in the order of the ONNX file: names and shapes, batch included; all are float32."""

    inputs: tuple[tuple[str, tuple[int, ...]], ...]
    outputs: tuple[tuple[str, tuple[int, ...]], ...]

    def shaped(self, outputs: Sequence[Tensor]) -> list[Tensor]:
        """Return ``outputs`` in the shapes of the ONNX file: engines drop a batch of 1.

        Raises:
            Refused: one has another number of elements, or there are fewer.
        """
        if len(outputs) != len(self.outputs):
            raise Refused(f"gives {len(outputs)} outputs instead of {len(self.outputs)}")
        found = []
        for (name, shape), value in zip(self.outputs, outputs, strict=True):
            if value.size != int(np.prod(shape)):
                raise Refused(f"gives output {name} the shape {value.shape} instead of {shape}")
            found.append(np.asarray(value, dtype=np.float32).reshape(shape))
        return found


class Engine(Protocol):
    """An engine with one network loaded: float32 throughout, on the CPU, with the threads it was asked for.

    A module of this package has two functions, which raise `Refused` where they cannot:

    - ``prepare(network, signature, threads, scratch)`` returns the path of what the engine reads, converted in the
      empty directory ``scratch`` where need be;
    - ``load(prepared, signature, threads)`` returns the engine, maybe on another machine.
    """

    @property
    def version(self) -> str:
        """The engine's version, and how it was set up where that is a choice."""

    def set_inputs(self, inputs: Sequence[Tensor]) -> None:
        """Hand over the inputs of the inferences to come."""

    def infer(self) -> None:
        """Run one inference to its end, outputs included."""

    def outputs(self) -> list[Tensor]:
        """Return the outputs of the last inference, in the order of the ONNX file."""


ENGINES = {
    "edgeprune": "peers.edgeprune_engine",
    "onnxruntime": "peers.onnxruntime_engine",
    "openvino": "peers.openvino_engine",
    "mnn": "peers.mnn_engine",
    "ncnn": "peers.ncnn_engine",
    "litert": "peers.litert_engine",
}
"""The engines by name, and the module of each."""


def read_signature(network: Path) -> Signature:
    """Return the network's tensors.

    Raises:
        Refused: a tensor is not float32, or its shape is not fixed.
    """
    import onnx

    model = onnx.load(network, load_external_data=False)
    weights = {weight.name for weight in model.graph.initializer}
    sources = [value for value in model.graph.input if value.name not in weights]
    return Signature(_tensors(sources), _tensors(model.graph.output))


def _tensors(values: Sequence[object]) -> tuple[tuple[str, tuple[int, ...]], ...]:
    found = []
    for value in values:
        tensor = value.type.tensor_type  # type: ignore[attr-defined]
        name = value.name  # type: ignore[attr-defined]
        shape = tuple(dimension.dim_value for dimension in tensor.shape.dim)
        if tensor.elem_type != 1 or not all(shape):
            raise Refused(f"{name} is not a float32 tensor of fixed shape")
        found.append((name, shape))
    return tuple(found)
