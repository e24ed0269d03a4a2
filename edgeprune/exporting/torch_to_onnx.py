"""Exporting a torch network to ONNX with static shapes."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from edgeprune.errors import StageFailure, UserError
from edgeprune.evaluation_mode import evaluation_mode

INPUT = "input"
OUTPUT = "output"


def export_onnx(network: nn.Module, example: Tensor, path: Path, *, opset: int = 20) -> None:
    """Write ``network`` in evaluation mode to ``path``; ``example`` fixes every shape, the batch included.

    The exporter folds batch normalisation and constants. What it notes about where a node came from (stack traces
    with the paths of the machine) is removed, so that the same weights give the same bytes everywhere.

    Raises:
        UserError: the network cannot be traced; the message carries the exporter's reason.
        StageFailure: the exported file does not pass ONNX's own checker.
    """
    try:
        # The exporter takes attention apart in the plain way, whose results lie in memory otherwise than those of the
        # fused kernels: traced with these, a reshape behind it may turn out to be impossible.
        with evaluation_mode(network), _quiet(), sdpa_kernel(SDPBackend.MATH):
            program = torch.onnx.export(
                network,
                (example,),
                dynamo=True,
                verbose=False,
                opset_version=opset,
                input_names=[INPUT],
                output_names=[OUTPUT],
            )
    except Exception as error:  # the exporter wraps whatever the user's forward raises
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UserError(f"{type(network).__name__}: cannot be exported to ONNX: {reason}") from error
    assert program is not None  # only the legacy exporter returns nothing
    model = program.model_proto
    _strip_origins(model)
    try:
        onnx.checker.check_model(model, full_check=True)
    except onnx.checker.ValidationError as error:
        raise StageFailure(f"{path}: the exported network does not pass ONNX's checker: {error}") from error
    temporary = path.with_name(path.name + ".tmp")
    onnx.save_model(model, str(temporary))
    temporary.replace(path)


def _strip_origins(model: onnx.ModelProto) -> None:
    model.doc_string = ""
    del model.metadata_props[:]
    del model.graph.metadata_props[:]
    for entry in (*model.graph.node, *model.graph.value_info, *model.graph.input, *model.graph.output):
        del entry.metadata_props[:]
        entry.doc_string = ""
    for initializer in model.graph.initializer:
        del initializer.metadata_props[:]
        initializer.doc_string = ""


@contextmanager
def _quiet() -> Iterator[None]:
    """Hold back the exporter's remarks about packages nobody asked for (torchvision) and its own deprecations."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
