"""The border between ONNX and kernels: both sides compute the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tvm
from numpy.typing import NDArray
from tvm import relax

from edgeprune.errors import StageFailure
from edgeprune.lowering.llvm_target import native_target
from edgeprune.lowering.model import Lowered, TensorSpec
from edgeprune.lowering.schedule import Scheduled
from edgeprune.parity import Parity, compare

Arrays = list[NDArray[np.float32]]


def seeded_inputs(inputs: tuple[TensorSpec, ...], seed: int) -> Arrays:
    """Return standard normal float32 arrays, one per input, the same for the same seed."""
    generator = np.random.default_rng(seed)
    return [generator.standard_normal(spec.shape).astype(np.float32) for spec in inputs]


def run_onnx(path: Path, inputs: Arrays) -> Arrays:
    """Return what ONNX Runtime computes from ``inputs`` (in the file's order) on one thread of the CPU.

    Raises:
        StageFailure: ONNX Runtime refuses the file.
    """
    import onnxruntime  # only here: worker processes of the tuner import this package and must be up quickly

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # its complaints are in the exception, too
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        names = [argument.name for argument in session.get_inputs()]
        return list(session.run(None, dict(zip(names, inputs, strict=True))))
    except Exception as error:
        # ONNX Runtime's exceptions have no common base below Exception.
        raise StageFailure(f"{path}: ONNX Runtime: {str(error).splitlines()[0]}") from error


def run_module(module: tvm.IRModule, inputs: Arrays) -> Arrays:
    """Return what ``module``'s kernels, compiled for this machine, compute from ``inputs``."""
    executable = relax.build(module, target=native_target())
    machine = relax.VirtualMachine(executable, tvm.cpu())
    result = machine["main"](*(tvm.runtime.tensor(array) for array in inputs))
    tensors = [result] if isinstance(result, tvm.runtime.Tensor) else list(result)
    return [tensor.numpy() for tensor in tensors]


def check_lowering(
    network: Lowered | Scheduled, onnx_path: Path, *, seed: int = 0, tolerance: float = 1e-4
) -> tuple[Parity, ...]:
    """Compare every output of ``network``, run on this machine, with ONNX Runtime's on seeded inputs.

    Raises:
        ParityError: an output differs by more than ``tolerance``, relative to its largest value.
    """
    inputs = seeded_inputs(network.inputs, seed)
    expected = run_onnx(onnx_path, inputs)
    actual = run_module(network.module, inputs)
    side = "kernels" if isinstance(network, Lowered) else "scheduled kernels"
    return tuple(
        compare(left, right, border=f"onnxruntime | {side}: {spec.name}", tolerance=tolerance)
        for spec, left, right in zip(network.outputs, expected, actual, strict=True)
    )
