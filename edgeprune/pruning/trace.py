"""Tracing a network once into its ATen graph, with the names of the parameters that feed it."""

from __future__ import annotations

import logging
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import torch
from torch import Tensor, fx, nn
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind
from torch.utils._pytree import TreeSpec

import edgeprune
from edgeprune.errors import StageFailure, UserError
from edgeprune.evaluation_mode import evaluation_mode
from edgeprune.pruning.regions import inline_regions


@dataclass(frozen=True)
class Trace:
    """A traced network.

    ``tensors`` maps placeholder names to the parameter or buffer they stand for, ``aliases`` every name of a tensor to
    one first name (a shared weight has several), ``inputs`` are the placeholders of the example inputs, ``state`` holds
    all parameters and buffers by name, ``constants`` the tensors made in the network's code by placeholder,
    ``out_spec`` is the nesting of what the network returns, ``idle`` the modules that only training uses (stochastic
    depth, say), by the node of the copy that marks where each was called.
    """

    graph: fx.Graph
    tensors: dict[str, str]
    aliases: dict[str, str]
    inputs: tuple[str, ...]
    buffers: frozenset[str]
    state: dict[str, Tensor]
    constants: dict[str, Tensor]
    out_spec: TreeSpec
    idle: dict[str, str]


def trace(model: nn.Module, example_inputs: tuple[Tensor, ...]) -> Trace:
    """Trace ``model`` in evaluation mode; its own modes are put back.

    Raises:
        UserError: ``example_inputs`` is not a tuple of tensors.
        StageFailure: the network cannot be exported; carries the exporter's message.
    """
    if not isinstance(example_inputs, tuple) or not all(isinstance(value, Tensor) for value in example_inputs):
        raise UserError("example_inputs must be a tuple of tensors, for example (torch.zeros(1, 3, 224, 224),)")
    with evaluation_mode(model), _plain_attention(), _idle_marked(model), torch.enable_grad():
        try:
            program = _exported(model, example_inputs)
        except Exception as error:
            first_line = (str(error).strip().splitlines() or [""])[0]
            raise StageFailure(
                f"{type(model).__name__} cannot be traced by torch.export: {type(error).__name__}: {first_line}"
                f"{_place(error)}"
            ) from error
    inline_regions(program.graph_module)
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
        _idle(program.graph, {path for path, module in model.named_modules() if _may_idle(module)}),
    )


def _exported(model: nn.Module, example_inputs: tuple[Tensor, ...]) -> ExportedProgram:
    """Export without what the exporter prints besides: whole graphs, tracebacks, warnings about torch's own modules."""
    before = logging.root.manager.disable
    with warnings.catch_warnings(), redirect_stderr(StringIO()):
        warnings.simplefilter("ignore")
        logging.disable(logging.CRITICAL)
        try:
            return torch.export.export(model, example_inputs, strict=False)
        finally:
            logging.disable(before)


def _place(error: Exception) -> str:
    """Return the line of the network's own code that raised an error, if one did."""
    others = (Path(torch.__file__).parent, Path(edgeprune.__file__).parent)
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if f.line and not any(Path(f.filename).is_relative_to(package) for package in others)]
    return f" (at {Path(own[-1].filename).name}:{own[-1].lineno}: {own[-1].line})" if own else ""


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


@contextmanager
def _idle_marked(model: nn.Module) -> Iterator[None]:
    """Leave a copy in the graph where a module gives its input back: in training it may do more."""

    def mark(_module: nn.Module, args: tuple[object, ...], kwargs: dict[str, object], result: object) -> object:
        same = len(args) == 1 and not kwargs and isinstance(result, Tensor) and result is args[0]
        return result.clone() if same and isinstance(result, Tensor) else None

    hooks = [m.register_forward_hook(mark, with_kwargs=True) for m in model.modules() if _may_idle(m)]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _may_idle(module: nn.Module) -> bool:
    """Tell whether a module is somebody's own, with neither parts nor tensors."""
    own = not type(module).__module__.startswith("torch.")
    return own and not (module._modules or module._parameters or module._buffers)


def _idle(graph: fx.Graph, paths: set[str]) -> dict[str, str]:
    """Return the marks of modules that did nothing else; one that works in place gives its input back, too."""
    marks: dict[str, list[fx.Node]] = {}
    for node in graph.nodes:
        path = module_name(node)
        if path in paths:
            marks.setdefault(path, []).append(node)
    copy = torch.ops.aten.clone.default
    only = {path: nodes for path, nodes in marks.items() if all(node.target is copy for node in nodes)}
    return {node.name: path for path, nodes in only.items() for node in nodes}


def module_name(node: fx.Node) -> str:
    """Return the dotted name of the module an operator ran in ("" for the network itself)."""
    stack = node.meta.get("nn_module_stack") or {}
    return str(list(stack.values())[-1][0]) if stack else ""
