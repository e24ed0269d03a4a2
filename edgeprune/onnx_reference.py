"""Running an ONNX file in ONNX Runtime, the reference every later border is held against."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import onnx.numpy_helper
import onnxruntime
from numpy.typing import NDArray

from edgeprune.errors import StageFailure, UserError
from edgeprune.golden_inputs import made_inputs


def run_onnx(path: Path, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the network's output for each record: ``(N, *input)`` to ``(N, *output)``.

    The file has one input and one output with a batch of 1; records are run one after the other on one thread.

    Raises:
        StageFailure: ONNX Runtime refuses the file, or it has several inputs or outputs.
    """
    session = _session(path)
    sources, sinks = session.get_inputs(), session.get_outputs()
    if len(sources) != 1 or len(sinks) != 1:
        raise StageFailure(f"{path}: has {len(sources)} inputs and {len(sinks)} outputs; one of each is expected here")
    name = sources[0].name
    return np.concatenate([session.run(None, {name: record[np.newaxis]})[0] for record in inputs])


def made_records(path: Path, *, records: int = 4) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the inputs that `made_inputs` gives for a float32 file, and ONNX Runtime's outputs.

    Both have shape ``(records, elements of all tensors concatenated)``: golden records for a network that comes
    without data.

    Raises:
        StageFailure: ONNX Runtime refuses the file.
        UserError: it answers with an infinity or no number; a weight that is infinite is named.
    """
    session = _session(path)
    sources = session.get_inputs()
    sizes = [int(np.prod(source.shape)) for source in sources]
    rows_in, rows_out = [], []
    for seed in range(records):
        rows_in.append(made_inputs(seed, sum(sizes)))
        pieces = np.split(rows_in[-1], np.cumsum(sizes)[:-1])
        feeds = {source.name: piece.reshape(source.shape) for source, piece in zip(sources, pieces, strict=True)}
        rows_out.append(np.concatenate([value.ravel() for value in session.run(None, feeds)]))
    outputs = np.stack(rows_out).astype(np.float32)
    if not np.isfinite(outputs).all():
        suspect = next(_infinite_weights(path), "its values outgrow float32")
        raise UserError(f"{path}: the network's answers are not finite: {suspect}")
    return np.stack(rows_in), outputs


def _infinite_weights(path: Path) -> Iterator[str]:
    """Yield what weights are infinite: some may be, as masks that a softmax turns into zeros."""
    for tensor in onnx.load(str(path)).graph.initializer:
        values = onnx.numpy_helper.to_array(tensor)
        if np.issubdtype(values.dtype, np.floating) and np.isinf(values).any():
            position = tuple(int(index) for index in np.argwhere(np.isinf(values))[0])
            yield f"initializer {tensor.name} is infinite at {position}"


def _session(path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4  # its complaints are in the exception, too
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime raises a dozen classes without a common base of its own
        raise StageFailure(f"{path}: ONNX Runtime refuses it: {str(error).strip().splitlines()[0]}") from error
