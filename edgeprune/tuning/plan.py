"""How a scheduled kernel is called: weights are re-laid out once, then the kernel proper is timed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import tvm
from tvm import relax

KERNEL = "kernel"


@dataclass(frozen=True)
class Buffer:
    """Shape and dtype (NumPy's spelling) of one argument."""

    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True)
class Step:
    """A call of ``function`` on the values numbered ``arguments``; its results become the next values."""

    function: str
    arguments: tuple[int, ...]
    results: tuple[Buffer, ...]


@dataclass(frozen=True)
class Plan:
    """The calls of one kernel. Values 0... are ``inputs``; the last step is the one to time, its result the output."""

    inputs: tuple[Buffer, ...]
    steps: tuple[Step, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return JSON-able values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Plan:
        """Return the plan that ``as_dict`` described."""
        steps = (Step(step["function"], tuple(step["arguments"]), _buffers(step["results"])) for step in data["steps"])
        return cls(_buffers(data["inputs"]), tuple(steps))


def split_prepack(module: tvm.IRModule) -> tuple[tvm.IRModule, Plan]:
    """Return the functions to compile for the scheduled kernel ``module["main"]`` and the order to call them in.

    The kernel is wrapped in a Relax function and split by the same pass that the scheduling of whole networks uses,
    so that the code measured is the code that ships.
    """
    kernel = module["main"]
    buffers = [_buffer(parameter.shape, parameter.dtype) for parameter in kernel.params]
    wrapped = relax.transform.SplitLayoutRewritePreproc()(_wrap(kernel, buffers))
    plan = Plan(tuple(buffers[:-1]), tuple(_steps(wrapped["main"], len(buffers) - 1)))
    functions = {step.function: wrapped[step.function].with_attr("global_symbol", step.function) for step in plan.steps}
    return tvm.IRModule(functions), plan


def _wrap(kernel: tvm.tirx.PrimFunc, buffers: list[Buffer]) -> tvm.IRModule:
    builder = relax.BlockBuilder()
    types = [relax.TensorType(list(buffer.shape), buffer.dtype) for buffer in buffers]
    inputs = [relax.Var(f"input{index}", type_) for index, type_ in enumerate(types[:-1])]
    with builder.function("main", inputs):
        symbol = builder.add_func(kernel.without_attr("global_symbol"), KERNEL)
        with builder.dataflow():
            output = builder.emit_output(relax.call_tir(symbol, inputs, types[-1]))
        builder.emit_func_output(output)
    return builder.get()


def _steps(function: relax.Function, inputs: int) -> list[Step]:
    """Read the calls off the wrapper: every value gets the numbers of its parts in order of appearance."""
    numbers: dict[relax.Var, tuple[int, ...]] = {var: (index,) for index, var in enumerate(function.params)}
    count = inputs
    steps = []
    for block in function.body.blocks:
        for binding in block.bindings:
            value = binding.value
            if isinstance(value, relax.TupleGetItem):
                numbers[binding.var] = (numbers[value.tuple_value][value.index],)
            elif isinstance(value, relax.Var):
                numbers[binding.var] = numbers[value]
            else:
                step = _step(value, numbers)
                numbers[binding.var] = tuple(range(count, count + len(step.results)))
                count += len(step.results)
                steps.append(step)
    return steps


def _step(call: relax.Call, numbers: dict[relax.Var, tuple[int, ...]]) -> Step:
    arguments = tuple(_number(argument, numbers) for argument in call.args[1].fields)
    kind = call.ty_args[0]
    parts = list(kind.fields) if isinstance(kind, relax.TupleType) else [kind]
    return Step(str(call.args[0].name_hint), arguments, tuple(_buffer(part.shape, part.dtype) for part in parts))


def _number(argument: relax.Expr, numbers: dict[relax.Var, tuple[int, ...]]) -> int:
    if isinstance(argument, relax.TupleGetItem):
        return numbers[argument.tuple_value][int(argument.index)]
    return numbers[argument][0]


def _buffer(shape: Any, dtype: Any) -> Buffer:
    return Buffer(tuple(int(extent) for extent in shape), str(dtype))


def _buffers(data: list[dict[str, Any]]) -> tuple[Buffer, ...]:
    return tuple(Buffer(tuple(buffer["shape"]), buffer["dtype"]) for buffer in data)
