"""The other way to a compact network: its traced graph with the changed sizes written in."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.utils._pytree import tree_unflatten

from edgeprune.errors import EdgepruneError, StageFailure
from edgeprune.pruning.batches import Linear, Unlike, batch_of, merged, require_alike, with_batch
from edgeprune.pruning.calls import Call, calls, sizes_of, with_arguments
from edgeprune.pruning.casts import same_type, typed_like
from edgeprune.pruning.coupling import Coupling, trace_coupling
from edgeprune.pruning.filled import count_in, cut_result, fill_operands
from edgeprune.pruning.kept_modules import KEPT_MODULES, become_torch_own, operators_inside
from edgeprune.pruning.plan import Plan
from edgeprune.pruning.trace import Trace, module_name
from edgeprune.pruning.training_only import carry, training_only
from edgeprune.pruning.verify import check_exact
from edgeprune.pruning.walk import Fill, arguments, operator_name, shape_of, with_axis

_DROPOUTS: dict[str, type[nn.Module]] = {
    "dropout": nn.Dropout,
    "alpha_dropout": nn.AlphaDropout,
    "feature_alpha_dropout": nn.FeatureAlphaDropout,
}
_OF_CHANNELS: dict[int, type[nn.Module]] = {3: nn.Dropout1d, 4: nn.Dropout2d, 5: nn.Dropout3d}
"""Modules that ``feature_dropout`` becomes, by the rank of the data."""


def rewrite(
    model: nn.Module, smaller: nn.Module, plan: Plan, inputs: tuple[Tensor, ...], coupling: Coupling
) -> fx.GraphModule:
    """Return a graph module that runs ``model``'s operators on ``smaller``'s parameters, under their names.

    Batch normalisations, dropouts and modules that do nothing in evaluation (stochastic depth) stay modules, so that
    training mode means what it meant; what functions do in training only, and outputs of training only (auxiliary
    heads), are not in the graph: ``training_notes(result)`` names them. It takes any batch size if the network does;
    ``inputs`` are those that ``coupling`` was traced with.

    Raises:
        StageFailure: the network returns something a graph cannot.
    """
    result = _graph(model, smaller, plan, inputs, coupling)
    carry(result, training_only(model, inputs, coupling.trace.idle.values()))
    return result


def _graph(
    model: nn.Module, smaller: nn.Module, plan: Plan, inputs: tuple[Tensor, ...], coupling: Coupling
) -> fx.GraphModule:
    """Return a graph for any batch size, else for that of ``inputs``."""
    size = batch_of(inputs)
    if size is not None:
        for one, other, sizes in _pairs(model, inputs, size, coupling):
            try:
                require_alike(one.trace, other.trace)
                result = _Builder(model, smaller, one, plan, (other, sizes)).module()
                check_exact(model, result, with_batch(inputs, max(sizes) + 1), "masked | compact at another batch size")
            except (Unlike, EdgepruneError, RuntimeError):
                continue
            return result
    return _Builder(model, smaller, coupling, plan, None).module()


def _pairs(
    model: nn.Module, inputs: tuple[Tensor, ...], size: int, coupling: Coupling
) -> Iterator[tuple[Coupling, Coupling, tuple[int, int]]]:
    """Yield the network at two batch sizes; a second pair in case a batch of one is a case of its own."""
    before, at = coupling, size
    for larger in (size + 1, size + 2):
        try:
            found = trace_coupling(model, with_batch(inputs, larger), coupling.prefer)
        except StageFailure:
            return
        yield before, found, (at, larger)
        before, at = found, larger


class _Builder:
    """Writes the graph."""

    def __init__(
        self,
        model: nn.Module,
        smaller: nn.Module,
        coupling: Coupling,
        plan: Plan,
        other: tuple[Coupling, tuple[int, int]] | None,
    ) -> None:
        self._model = model
        self._smaller = smaller
        self._trace: Trace = coupling.trace
        self._sizes = sizes_of(coupling, plan)
        self._calls = calls(self._sizes)
        self._fills: dict[str, list[Fill]] = {}
        for fill in coupling.fills:
            self._fills.setdefault(fill.node, []).append(fill)
        self._alike = coupling.alike
        self._other = (calls(sizes_of(other[0], plan)), other[1]) if other else None
        self._graph = fx.Graph()
        self._values: dict[fx.Node, Any] = {}
        self._numbers: dict[Linear, fx.Node] = {}
        self._inside = operators_inside(coupling.trace)

    def module(self) -> fx.GraphModule:
        """Return the finished module in ``smaller``'s modes."""
        for node in self._trace.graph.nodes:
            if node.op == "placeholder":
                self._values[node] = self._placeholder(node)
            elif node.op == "output":
                self._graph.output(self._structured(node))
            else:
                self._values[node] = self._copied(node)
        for node in reversed(self._graph.nodes):
            if node.op == "get_attr" and not node.users:
                self._graph.erase_node(node)
        self._graph.lint()
        result = fx.GraphModule(self._smaller, self._graph, type(self._model).__name__)
        _keep_state(self._smaller, result)
        for path, module in result.named_modules():
            module.training = self._smaller.get_submodule(path).training
        return result

    def _placeholder(self, node: fx.Node) -> fx.Node:
        name = self._trace.tensors.get(node.name)
        if name is not None:
            return self._graph.get_attr(name)
        constants = self._trace.constants
        if node.name in constants:
            self._smaller.register_buffer(node.name, constants[node.name].clone(), persistent=False)
            return self._graph.get_attr(node.name)
        return self._graph.placeholder(node.name)

    def _structured(self, node: fx.Node) -> Any:
        results = node.args[0]
        assert isinstance(results, (list, tuple))
        leaves = [self._values[value] if isinstance(value, fx.Node) else value for value in results]
        structure = tree_unflatten(leaves, self._trace.out_spec)
        if not isinstance(structure, (fx.Node, tuple, list, dict)):
            kind = type(structure).__name__
            raise StageFailure(f"a graph cannot return {kind}; return tensors, tuples or dictionaries")
        return structure

    def _copied(self, node: fx.Node) -> Any:
        name = operator_name(node)
        if name == "_assert_tensor_metadata":
            return None
        if name == "to" and same_type(node):
            return self._uncast(node)
        if node.name in self._trace.idle:
            return self._graph.call_module(self._trace.idle[node.name], (self._values[_source(node)],))
        if (name == "batch_norm" and not node.args[5]) or (_is_dropout(name) and not arguments(node)["train"]):
            called = self._as_module(node)
            if called is not None:
                return called
        call = self._call(node)
        args = fx.map_arg(call.args, self._value)
        kwargs = dict(fx.map_arg(call.kwargs, self._value))
        return self._filled(node, Call(call.target, args, kwargs))

    def _uncast(self, node: fx.Node) -> Any:
        """Leave out a cast that changed nothing; what was made from numbers alone follows the network's type."""
        value, like = self._values[_source(node)], typed_like(self._trace, node)
        if like is None:
            return value
        return self._graph.call_function(torch.ops.aten.type_as.default, (value, self._values[like]))

    def _filled(self, node: fx.Node, call: Call) -> fx.Node:
        """Call an operator; removed channels that it counts as zeros are filled in before and cut off after."""
        fills = [(fill, fill.size - self._live(node, fill)) for fill in self._fills.get(node.name, ())]
        fills = [(fill, missing) for fill, missing in fills if missing]
        if fills and fills[0][0].alike:
            return self._counted(node, call, *fills[0])
        given = {key: self._values[arguments(node)[key]] for fill, _ in fills for key, _ in fill.operands}
        for fill, missing in fills:
            fill_operands(self._graph, node, fill, missing, given)
        if given:
            call = with_arguments(call, given)
        result = self._graph.call_function(call.target, call.args, call.kwargs)
        for fill, missing in fills:
            result = cut_result(self._graph, result, fill, missing)
        return result

    def _counted(self, node: fx.Node, call: Call, fill: Fill, missing: int) -> fx.Node:
        """Reduce over what is left, and count in the removed indices, of which one is reduced alone."""
        key, axis = fill.operands[0]
        one = with_arguments(call, {key: self._removed(arguments(node)[key], axis)})
        live = self._graph.call_function(call.target, call.args, call.kwargs)
        gone = self._graph.call_function(one.target, one.args, one.kwargs)
        return count_in(self._graph, operator_name(node), live, gone, missing, fill.size)

    def _removed(self, node: fx.Node, axis: int) -> fx.Node:
        """Return what the removed indices of an axis hold, as a tensor of length one along it."""
        if (node.name, axis) not in self._alike:
            zeros = self._graph.call_function(torch.ops.aten.zeros_like.default, (self._values[node],))
            return self._graph.call_function(torch.ops.aten.sum.dim_IntList, (zeros, [axis], True))
        wide = {operand: self._removed(operand, own) for operand, own in with_axis(node, axis)}
        call = self._call(node)
        args, kwargs = fx.map_arg((call.args, call.kwargs), lambda value: wide.get(value) or self._value(value))
        return self._graph.call_function(call.target, args, dict(kwargs))

    def _live(self, node: fx.Node, fill: Fill) -> int:
        name, axis = fill.operands[0]
        return self._sizes.after(arguments(node)[name], axis)

    def _value(self, node: fx.Node) -> Any:
        """Return the new graph's node for one of the traced graph; its own come from ``_number``."""
        return self._values.get(node, node)

    def _call(self, node: fx.Node) -> Call:
        call = self._calls[node.name]
        if self._other is None:
            return call
        others, sizes = self._other
        return merged(call, others[node.name], sizes, self._number)

    def _number(self, line: Linear) -> fx.Node:
        """Return a node that works a number out of the batch size."""
        if line not in self._numbers:
            if line == Linear(1, 0):
                source = next(n for n in self._trace.graph.nodes if n.name == self._trace.inputs[0])
                size = self._graph.call_function(torch.ops.aten.sym_size.int, (self._values[source], 0))
            elif line.offset:
                size = self._graph.call_function(operator.add, (self._number(Linear(line.slope, 0)), line.offset))
            else:
                size = self._graph.call_function(operator.mul, (self._number(Linear(1, 0)), line.slope))
            self._numbers[line] = size
        return self._numbers[line]

    def _as_module(self, node: fx.Node) -> fx.Node | None:
        """Call the module that ran the operator, so that it behaves in training as it did."""
        source = self._values[_source(node)]
        path = module_name(node)
        module = self._smaller.get_submodule(path)
        name = operator_name(node)
        if path and isinstance(module, KEPT_MODULES):
            if self._inside[path] != {name}:
                become_torch_own(module)
            return self._graph.call_module(path, (source,))
        kind = _DROPOUTS.get(name) or _OF_CHANNELS.get(len(shape_of(node)))
        if _is_dropout(name) and kind is not None:
            own = f"{node.name}_module"
            self._smaller.add_module(own, kind(float(arguments(node)["p"])).train(self._smaller.training))
            return self._graph.call_module(own, (source,))
        return None


def _is_dropout(name: str) -> bool:
    return name in _DROPOUTS or name == "feature_dropout"


def _source(node: fx.Node) -> fx.Node:
    """Return the tensor an operator works on."""
    assert isinstance(node.args[0], fx.Node)
    return node.args[0]


def _keep_state(source: nn.Module, result: nn.Module) -> None:
    """Give a graph module the parameters and buffers that no operator reads: its state dict is to be the original's."""
    for path, module in source.named_modules(remove_duplicate=False):
        kept = {
            name: value for name, value in module._buffers.items() if name not in module._non_persistent_buffers_set
        }
        for name, value in {**module._parameters, **kept}.items():
            if value is None:
                continue
            owner = _submodule(result, path)
            if isinstance(value, nn.Parameter):
                owner.register_parameter(name, value)
            else:
                owner.register_buffer(name, value)


def _submodule(root: nn.Module, path: str) -> nn.Module:
    """Return a submodule, made where it is missing."""
    for name in path.split(".") if path else ():
        if name not in root._modules:
            root.add_module(name, nn.Module())
        root = root._modules[name]  # type: ignore[assignment]
    return root
