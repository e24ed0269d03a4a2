"""Running many inputs through an artifact: for its accuracy as a binary, and for parity between boards."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeprune.emulation import Unavailable
from edgeprune.errors import StageFailure, UserError
from edgeprune.measuring.bench_artifact import BenchArtifact
from edgeprune.measuring.bench_run import read_bench_run
from edgeprune.measuring.measure import TIMEOUT_S
from edgeprune.measuring.open_transport import opened
from edgeprune.measuring.transport import Transport
from edgeprune.target import Target


def run_inputs(
    artifact_dir: Path,
    target: Target,
    inputs: NDArray[np.float32],
    *,
    transport: Transport | None = None,
    timeout: float = TIMEOUT_S,
) -> NDArray[np.float32] | Unavailable:
    """Return the artifact's outputs for ``inputs``, computed on ``target``.

    ``inputs`` has shape ``(records, ...)``, one record being all the network's inputs concatenated. The result has
    shape ``(records, *output shape without batch)`` for a network of one output and batch 1, and otherwise
    ``(records, elements)`` with all outputs concatenated. `Unavailable` when the target's emulator is not here.

    Raises:
        UserError: a record has another number of elements than the network's inputs.
        ParityError, StageFailure: as for `measure`.
    """
    artifact = BenchArtifact.load(artifact_dir)
    records = np.ascontiguousarray(inputs, dtype="<f4").reshape(len(inputs), -1)
    if records.shape[1] != artifact.input_elements:
        raise UserError(
            f"{artifact.model}: {records.shape[1]} values per record, but its inputs have {artifact.input_elements}"
        )
    with opened(target, transport) as board:
        if isinstance(board, Unavailable):
            return board
        flat = _run_records(board, artifact, target, records, timeout)
    return flat.reshape(len(records), *_answer_shape(artifact))


def _run_records(
    board: Transport, artifact: BenchArtifact, target: Target, records: NDArray[np.float32], timeout: float
) -> NDArray[np.float32]:
    with tempfile.TemporaryDirectory(prefix="edgeprune-") as scratch:
        given, answered = Path(scratch) / "inputs.f32", Path(scratch) / "outputs.f32"
        records.tofile(given)
        answers = board.place("outputs.f32")
        argv = [board.push(artifact.executable), "--input", board.push(given), "--output", answers]
        where = f"{artifact.model} ({artifact.variant}) on {target.name}"
        run = read_bench_run(board.run(argv, timeout=timeout), where)
        board.pull(answers, answered)
        values = np.fromfile(answered, dtype="<f4")
    if run.records != len(records) or values.size != len(records) * artifact.output_elements:
        raise StageFailure(
            f"{where}: {values.size} values for {run.records} records came back, not "
            f"{len(records) * artifact.output_elements} for {len(records)}"
        )
    return values


def _answer_shape(artifact: BenchArtifact) -> tuple[int, ...]:
    first = artifact.output_shapes[0]
    return first[1:] if len(artifact.output_shapes) == 1 and first[:1] == (1,) else (artifact.output_elements,)
