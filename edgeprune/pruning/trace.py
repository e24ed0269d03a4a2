"""Tracing a network once into its ATen graph, with the names of the parameters that feed it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, fx, nn
from torch.export.graph_signature import InputKind
from torch.utils._pytree import TreeSpec

from edgeprune.errors import StageFailure, UserError
from edgeprune.evaluation_mode import evaluation_mode


@dataclass(frozen=True)
class Trace:
    """A traced network.

    ``tensors`` maps placeholder names to the parameter or buffer they stand for, ``aliases`` every name of a tensor to
    one first name (a shared weight has several), ``inputs`` are the placeholders of the example inputs, ``state`` holds
    all parameters and buffers by name, ``constants`` the tensors made in the network's code by placeholder,
    ``out_spec`` is the nesting of what the network returns.
    """

    graph: fx.Graph
    tensors: dict[str, str]
    aliases: dict[str, str]
    inputs: tuple[str, ...]
    buffers: frozenset[str]
    state: dict[str, Tensor]
    constants: dict[str, Tensor]
    out_spec: TreeSpec


def trace(model: nn.Module, example_inputs: tuple[Tensor, ...]) -> Trace:
    """Trace ``model`` in evaluation mode; its own modes are put back.

    Raises:
        UserError: ``example_inputs`` is not a tuple of tensors.
        StageFailure: the network cannot be exported; carries the exporter's message.
    """
    if not isinstance(example_inputs, tuple) or not all(isinstance(value, Tensor) for value in example_inputs):
        raise UserError("example_inputs must be a tuple of tensors, for example (torch.zeros(1, 3, 224, 224),)")
    with evaluation_mode(model), _plain_attention(), torch.enable_grad():
        try:
            program = torch.export.export(model, example_inputs, strict=False)
        except Exception as error:
            first_line = (str(error).strip().splitlines() or [""])[0]
            raise StageFailure(
                f"{type(model).__name__} cannot be traced by torch.export: {type(error).__name__}: {first_line}"
            ) from error
    tensors: dict[str, str] = {}
    inputs: list[str] = []
    constants: dict[str, Tensor] = {}
    for spec in program.graph_signature.input_specs:
        if spec.kind in (InputKind.PARAMETER, InputKind.BUFFER) and spec.target is not None:
            tensors[spec.arg.name] = spec.target
        elif spec.kind is InputKind.USER_INPUT:
            inputs.append(spec.arg.name)
        elif spec.target is not None and isinstance(program.constants.get(spec.target), Tensor):
            constants[spec.arg.name] = program.constants[spec.target]
    buffers = frozenset(name for name, _ in model.named_buffers(remove_duplicate=False))
    return Trace(
        program.graph,
        tensors,
        _aliases(model),
        tuple(inputs),
        buffers,
        named_tensors(model),
        constants,
        program.call_spec.out_spec,
    )


def named_tensors(model: nn.Module) -> dict[str, Tensor]:
    """Return all parameters and buffers by name, shared ones under each of their names."""
    found: dict[str, Tensor] = dict(model.named_parameters(remove_duplicate=False))
    found.update(model.named_buffers(remove_duplicate=False))
    return found


def _aliases(model: nn.Module) -> dict[str, str]:
    """Map every tensor's name to one name per distinct tensor."""
    first: dict[int, str] = {}
    return {name: first.setdefault(id(tensor), name) for name, tensor in named_tensors(model).items()}


@contextmanager
def _plain_attention() -> Iterator[None]:
    """Keep nn.MultiheadAttention off its fused inference path, which hides its operators."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)
