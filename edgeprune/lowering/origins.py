"""Which ONNX nodes a kernel computes.

TVM forgets where a value comes from. What survives its passes is the name of a variable, up to fusion; and fusion keeps
the calls as they are. So variables get the number of their node as a name after import, and after fusion every call
is found again by what it computes.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Hashable, Iterable, Iterator, Mapping

import onnx
import tvm
from tvm import relax

Nodes = frozenset[int]
_NAMED = re.compile(r"node(\d+)_\d*")


def name_variables(
    module: tvm.IRModule, graph: onnx.GraphProto, values: Mapping[str, relax.Expr | None]
) -> tvm.IRModule:
    """Return ``module`` with ``main``'s variables named after the index of the ONNX node they belong to.

    ``values`` is the importer's table of what each ONNX value became.
    """
    return _Renamer(module, _owners(module["main"], graph, values)).renamed()


def _owners(
    main: relax.Function, graph: onnx.GraphProto, values: Mapping[str, relax.Expr | None]
) -> dict[relax.Var, int]:
    """Return the node of each variable: that of the first node whose outputs need it."""
    bound = {binding.var: binding.value for binding in _bindings(main)}
    variables = {value: variable for variable, value in bound.items() if not isinstance(value, relax.Var)}
    owners: dict[relax.Var, int] = {}
    for index, node in enumerate(graph.node):
        found = [values.get(output) for output in node.output]
        waiting = [variables.get(value, value) for value in found if isinstance(value, relax.Expr)]
        while waiting:
            variable = waiting.pop()
            if variable in owners or variable not in bound:
                continue
            owners[variable] = index
            waiting.extend(relax.analysis.free_vars(bound[variable]))
    return owners


@relax.expr_functor.mutator
class _Renamer(relax.PyExprMutator):  # type: ignore[misc]
    def __init__(self, module: tvm.IRModule, owners: Mapping[relax.Var, int]) -> None:
        super().__init__(module)
        self._main = module["main"]
        self._owners = owners

    def renamed(self) -> tvm.IRModule:
        self.builder_.update_func(self.builder_.get().get_global_var("main"), self.visit_expr(self._main))
        return self.builder_.get()

    def visit_var_binding_(self, binding: relax.VarBinding) -> None:
        value = self.visit_expr(binding.value)
        owner = self._owners.get(binding.var)
        hint = f"node{owner}_" if owner is not None else ""
        new = self.builder_.emit(value, hint) if isinstance(binding.var, relax.DataflowVar) else None
        if new is None:
            new = self.builder_.emit_output(value, hint)
        self.set_var_remap(binding.var, new)


class CallOrigins:
    """The ONNX nodes behind every call of ``main``, taken before fusion and asked after it."""

    def __init__(self, unfused: tvm.IRModule) -> None:
        self._evaluator = _Evaluator()
        self._origins: dict[int, Nodes] = {}
        nodes = nodes_of_variables(unfused["main"])
        for variable, numbers in self._evaluator.calls_of(unfused):
            for number in numbers:
                self._origins[number] = self._origins.get(number, frozenset()) | nodes[variable]

    def of_calls(self, fused: tvm.IRModule) -> list[Nodes]:
        """Return the nodes of every call in ``main`` of ``fused``, in order."""
        groups = self._evaluator.calls_of(fused)
        return [frozenset().union(*(self._origins[number] for number in numbers)) for _, numbers in groups]


def nodes_of_variables(main: relax.Function) -> dict[relax.Var, Nodes]:
    """Return the ONNX nodes of every variable that ``main`` binds, by their place in the file.

    A pass that turns a value into several leaves the last one its name: the others belong to what they are used for,
    or, behind the last node, to what they are made from.
    """
    bindings = list(_bindings(main))
    nodes: dict[relax.Var, Nodes] = {}
    for binding in bindings:
        named = _NAMED.fullmatch(binding.var.name)
        nodes[binding.var] = frozenset([int(named.group(1))] if named else [])
    users: dict[relax.Var, list[relax.Var]] = {}
    for binding in bindings:
        for operand in relax.analysis.free_vars(binding.value):
            users.setdefault(operand, []).append(binding.var)
    for binding in reversed(bindings):
        nodes[binding.var] = nodes[binding.var] or _union(nodes, users.get(binding.var, ()))
    for binding in bindings:
        nodes[binding.var] = nodes[binding.var] or _union(nodes, relax.analysis.free_vars(binding.value))
    return nodes


def _union(nodes: Mapping[relax.Var, Nodes], variables: Iterable[relax.Var]) -> Nodes:
    return frozenset().union(*(nodes.get(variable, frozenset()) for variable in variables))


def _bindings(function: relax.Function) -> Iterator[relax.VarBinding]:
    for block in function.body.blocks:
        yield from block.bindings


class _Evaluator:
    """Gives equal numbers to values that are computed alike, inside groups of fused calls and outside of them."""

    def __init__(self) -> None:
        self._numbers: dict[Hashable, int] = {}

    def calls_of(self, module: tvm.IRModule) -> list[tuple[relax.Var, tuple[int, ...]]]:
        """Return for every call that ``main`` binds the numbers of the kernels' results in it."""
        main = module["main"]
        scope = {parameter: self._number("input", index) for index, parameter in enumerate(main.params)}
        calls = []
        for binding in _bindings(main):
            inside: list[int] = []
            scope[binding.var] = self._value(module, binding.value, scope, inside)
            if isinstance(binding.value, relax.Call):
                calls.append((binding.var, tuple(inside)))
        return calls

    def _number(self, *key: Hashable) -> int:
        return self._numbers.setdefault(key, len(self._numbers))

    def _value(self, module: tvm.IRModule, value: relax.Expr, scope: dict[relax.Var, int], calls: list[int]) -> int:
        if isinstance(value, relax.Var):
            return scope[value]
        if isinstance(value, tvm.ir.expr.GenericConst):
            return self._constant(value)
        if isinstance(value, relax.Tuple):
            return self._number("tuple", *(self._value(module, field, scope, calls) for field in value.fields))
        if isinstance(value, relax.TupleGetItem):
            return self._number("field", self._value(module, value.tuple_value, scope, calls), int(value.index))
        if isinstance(value, relax.Call):
            return self._call(module, value, scope, calls)
        return self._number("other", str(value))

    def _call(self, module: tvm.IRModule, call: relax.Call, scope: dict[relax.Var, int], calls: list[int]) -> int:
        if isinstance(call.op, tvm.ir.GlobalVar):
            return self._group(
                module, module[call.op], [self._value(module, one, scope, calls) for one in call.args], calls
            )
        operands = [self._operand(module, argument, scope, calls) for argument in call.args]
        number = self._number("call", str(call.op), str(call.ty_args), str(call.attrs), *operands)
        calls.append(number)
        return number

    def _operand(
        self, module: tvm.IRModule, operand: relax.Expr, scope: dict[relax.Var, int], calls: list[int]
    ) -> Hashable:
        return (
            operand.name_hint if isinstance(operand, tvm.ir.GlobalVar) else self._value(module, operand, scope, calls)
        )

    def _group(self, module: tvm.IRModule, group: relax.Function, arguments: list[int], calls: list[int]) -> int:
        scope = dict(zip(group.params, arguments, strict=True))
        for binding in _bindings(group):
            scope[binding.var] = self._value(module, binding.value, scope, calls)
        return self._value(module, group.body.body, scope, calls)

    def _constant(self, constant: tvm.ir.expr.GenericConst) -> int:
        array = constant.value.numpy()
        return self._number("constant", array.shape, str(array.dtype), hashlib.sha256(array.tobytes()).digest())
