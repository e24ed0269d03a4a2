"""The other way to a compact network: its traced graph with the changed sizes written in."""

from __future__ import annotations

import operator
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.utils._pytree import tree_unflatten

from edgeprune.errors import StageFailure
from edgeprune.pruning.coupling import couple
from edgeprune.pruning.filled import cut_result, fill_operands
from edgeprune.pruning.literals import Edit, Sizes, edits
from edgeprune.pruning.make_plan import removed_sets
from edgeprune.pruning.plan import Plan
from edgeprune.pruning.trace import Trace, trace
from edgeprune.pruning.walk import Fill, arguments, module_name, operator_name

_TRAIN_MODULES = (nn.modules.batchnorm._BatchNorm, nn.modules.dropout._DropoutNd)


def rewrite(model: nn.Module, smaller: nn.Module, plan: Plan, inputs: tuple[Tensor, ...]) -> nn.Module:
    """Return a graph module that runs ``model``'s operators on ``smaller``'s parameters, under their names.

    Batch normalisations and dropouts stay modules, so that training mode means what it meant; anything else that a
    network does in training only (stochastic depth, auxiliary heads) is not in the graph.

    Raises:
        StageFailure: the network returns something a graph cannot.
    """
    traced = _trace(model, inputs)
    coupling = couple(traced, model, inputs, plan.prefer)
    sizes = Sizes.of(coupling, ~removed_sets(coupling, plan))
    changes = edits(sizes)
    graph = fx.Graph()
    values: dict[fx.Node, Any] = {}
    for node in traced.graph.nodes:
        if node.op == "placeholder":
            values[node] = _placeholder(graph, node, traced, smaller)
        elif node.op == "output":
            graph.output(_structured(node, values, traced))
        else:
            values[node] = _copied(graph, node, values, changes.get(node.name, {}), sizes, smaller)
    for node in reversed(graph.nodes):
        if node.op == "get_attr" and not node.users:
            graph.erase_node(node)
    graph.lint()
    result = fx.GraphModule(smaller, graph, type(model).__name__)
    for path, module in result.named_modules():
        module.training = smaller.get_submodule(path).training
    return result


def _trace(model: nn.Module, inputs: tuple[Tensor, ...]) -> Trace:
    """Trace with a free batch size if the network allows that."""
    batches = {value.shape[0] for value in inputs if value.ndim}
    if len(batches) == 1 and all(value.ndim for value in inputs):
        doubled = inputs if batches != {1} else tuple(torch.cat([value, value]) for value in inputs)
        shapes = tuple({0: torch.export.Dim.AUTO} for _ in inputs)
        try:
            return trace(model, doubled, dynamic_shapes=shapes)
        except StageFailure:
            return trace(model, inputs)
    return trace(model, inputs)


def _placeholder(graph: fx.Graph, node: fx.Node, traced: Trace, smaller: nn.Module) -> fx.Node:
    name = traced.tensors.get(node.name)
    if name is not None:
        return graph.get_attr(name)
    if node.name in traced.constants:
        smaller.register_buffer(node.name, traced.constants[node.name].clone(), persistent=False)
        return graph.get_attr(node.name)
    return graph.placeholder(node.name)


def _structured(node: fx.Node, values: dict[fx.Node, Any], traced: Trace) -> Any:
    results = node.args[0]
    assert isinstance(results, (list, tuple))
    leaves = [values[value] if isinstance(value, fx.Node) else value for value in results]
    structure = tree_unflatten(leaves, traced.out_spec)
    if not isinstance(structure, (fx.Node, tuple, list, dict)):
        raise StageFailure(f"a graph cannot return {type(structure).__name__}; return tensors, tuples or dictionaries")
    return structure


def _copied(
    graph: fx.Graph, node: fx.Node, values: dict[fx.Node, Any], edit: Edit, sizes: Sizes, smaller: nn.Module
) -> Any:
    name = operator_name(node)
    if name in ("batch_norm", "dropout") and not node.args[-1 if name == "dropout" else 5]:
        called = _as_module(graph, node, values, smaller)
        if called is not None:
            return called
    if name in ("chunk", "split") and node.target is not operator.getitem:
        return _exact_split(graph, node, values, sizes)
    args = fx.map_arg(node.args, lambda value: values[value])
    kwargs = dict(fx.map_arg(node.kwargs, lambda value: values[value]))
    if not isinstance(node.target, torch._ops.OpOverload):
        return graph.call_function(node.target, args, kwargs)  # type: ignore[arg-type]
    moved = {key: fx.map_arg(value, lambda node: values[node]) for key, value in edit.items()}
    fills = [(fill, fill.size - _live(sizes, node, fill)) for fill in sizes.coupling.fills if fill.node == node.name]
    fills = [(fill, missing) for fill, missing in fills if missing]
    for fill, missing in fills:
        for key, _ in fill.operands:
            moved.setdefault(key, values[arguments(node)[key]])
        fill_operands(graph, node, fill, missing, moved)
    args, kwargs = _edited(node.target, args, kwargs, moved)
    result = graph.call_function(node.target, args, kwargs)
    for fill, missing in fills:
        result = cut_result(graph, result, fill, missing)
    return result


def _live(sizes: Sizes, node: fx.Node, fill: Fill) -> int:
    name, axis = fill.operands[0]
    return sizes.after(arguments(node)[name], axis)


def _as_module(graph: fx.Graph, node: fx.Node, values: dict[fx.Node, Any], smaller: nn.Module) -> fx.Node | None:
    """Call the module that ran the operator, so that it behaves in training as it did."""
    path = module_name(node)
    module = smaller.get_submodule(path)
    if path and isinstance(module, _TRAIN_MODULES):
        return graph.call_module(path, (values[node.args[0]],))  # type: ignore[index]
    if operator_name(node) == "dropout":
        own = f"{node.name}_module"
        smaller.add_module(own, nn.Dropout(float(arguments(node)["p"])))
        return graph.call_module(own, (values[node.args[0]],))  # type: ignore[index]
    return None


def _exact_split(graph: fx.Graph, node: fx.Node, values: dict[fx.Node, Any], sizes: Sizes) -> fx.Node:
    axis = int(arguments(node)["dim"])
    pieces = node.meta["val"]
    axis += len(pieces[0].shape) if axis < 0 else 0
    lengths = [sizes.after(node, axis, part) for part in range(len(pieces))]
    source = values[node.args[0]]  # type: ignore[index]
    return graph.call_function(torch.ops.aten.split_with_sizes.default, (source, lengths, axis))


def _edited(target: torch._ops.OpOverload, args: Any, kwargs: dict[str, Any], edit: Edit) -> tuple[Any, dict[str, Any]]:
    positions = {argument.name: place for place, argument in enumerate(target._schema.arguments)}
    changed = list(args)
    for key, value in edit.items():
        if positions[key] < len(changed):
            changed[positions[key]] = value
        else:
            kwargs[key] = value
    return tuple(changed), kwargs
