"""The scheduled network as what a processor does: calls of kernels on buffers, in order."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
import tvm
from numpy.typing import NDArray
from tvm import relax, tirx

from edgeprune.errors import StageFailure
from edgeprune.lowering.model import TensorSpec
from edgeprune.lowering.schedule import Scheduled
from edgeprune.lowering.work import Work


class Role(Enum):
    """Where a buffer lives: with the caller, in the artifact's read-only data, or in the arena."""

    INPUT = "input"
    OUTPUT = "output"
    CONSTANT = "constant"
    INTERMEDIATE = "intermediate"


@dataclass(frozen=True)
class Buffer:
    """One piece of memory; ``index`` is its place in `Program.buffers`, ``number`` its place among those of its role.

    ``size`` is in bytes.
    """

    index: int
    role: Role
    number: int
    size: int
    dtype: str


@dataclass(frozen=True)
class KernelCall:
    """One call: ``arguments`` are buffer indices in the kernel's order, the outputs last; ``nodes`` ONNX nodes."""

    kernel: str
    arguments: tuple[int, ...]
    nodes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Copy:
    """A copy of a whole buffer, where an output is nothing but an input, a constant or another output."""

    source: int
    destination: int


@dataclass(frozen=True)
class Program:
    """Everything an artifact is generated from. ``constants`` lie in the order of their buffers' ``number``.

    ``work`` is that of one call of a kernel.
    """

    buffers: tuple[Buffer, ...]
    constants: tuple[NDArray[np.generic], ...]
    steps: tuple[KernelCall | Copy, ...]
    kernels: dict[str, tirx.PrimFunc]
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    onnx_sha256: str
    kernel_nodes: dict[str, tuple[str, ...]]
    tuned: dict[str, bool]
    work: dict[str, Work]

    @property
    def weight_bytes(self) -> int:
        """Return the bytes of all constants."""
        return sum(buffer.size for buffer in self.buffers if buffer.role is Role.CONSTANT)


def read_program(scheduled: Scheduled) -> Program:
    """Return the calls, buffers and constants of ``scheduled``'s Relax ``main``.

    Raises:
        StageFailure: ``main`` holds something other than calls of kernels, reshapes and tuples.
    """
    reader = _Reader(scheduled)
    reader.read()
    called = {step.kernel for step in reader.steps if isinstance(step, KernelCall)}
    kernels = {name: scheduled.module[name] for name in sorted(called)}
    return Program(
        buffers=tuple(reader.buffers),
        constants=tuple(reader.constants),
        steps=tuple(reader.steps),
        kernels=kernels,
        inputs=scheduled.inputs,
        outputs=scheduled.outputs,
        onnx_sha256=scheduled.onnx_sha256,
        kernel_nodes={name: scheduled.kernel_nodes.get(name, ()) for name in kernels},
        tuned={name: scheduled.tuned[name] for name in kernels},
        work={name: scheduled.work.get(name, Work(0, 0)) for name in kernels},
    )


_Value = int | list["_Value"]


class _Reader:
    """Walks ``main`` once; a value is a buffer's index, or a list of values for a tuple."""

    def __init__(self, scheduled: Scheduled) -> None:
        self._main = scheduled.module["main"]
        self._values: dict[relax.Var, _Value] = {}
        self._nodes = {name: list(calls) for name, calls in scheduled.call_nodes.items()}
        self.buffers: list[Buffer] = []
        self.constants: list[NDArray[np.generic]] = []
        self.steps: list[KernelCall | Copy] = []

    def read(self) -> None:
        for parameter in self._main.params:
            self._values[parameter] = self._buffer(Role.INPUT, parameter.ty)
        bindings = [binding for block in self._main.body.blocks for binding in block.bindings]
        for binding in bindings:
            self._values[binding.var] = self._evaluate(binding.value)
        self._assign_outputs(_flatten(self._evaluate(self._main.body.body)))

    def _evaluate(self, value: relax.Expr) -> _Value:
        if isinstance(value, tvm.ir.expr.GenericConst):
            return self._constant(value)
        if isinstance(value, relax.Var):
            return self._values[value]
        if isinstance(value, relax.Tuple):
            return [self._evaluate(field) for field in value.fields]
        if isinstance(value, relax.TupleGetItem):
            fields = self._evaluate(value.tuple_value)
            assert isinstance(fields, list)
            return fields[int(value.index)]
        if isinstance(value, relax.Call):
            return self._call(value)
        raise StageFailure(f"main holds {type(value).__name__}, which is not a call of a kernel")

    def _call(self, call: relax.Call) -> _Value:
        operator = call.op.name if isinstance(call.op, tvm.ir.Op) else str(call.op)
        if operator == "relax.reshape":
            return self._evaluate(call.args[0])
        if operator != "relax.call_tir":
            raise StageFailure(f"operator {operator.removeprefix('relax.')} has no kernel for this network's shapes")
        arguments = _flatten(self._evaluate(call.args[1]))
        result = self._results(call.ty_args[0])
        kernel = call.args[0].name_hint
        left = self._nodes.get(kernel)
        self.steps.append(KernelCall(kernel, (*arguments, *_flatten(result)), left.pop(0) if left else ()))
        return result

    def _results(self, kind: tvm.ir.Type) -> _Value:
        if isinstance(kind, relax.TupleType):
            return [self._results(field) for field in kind.fields]
        return self._buffer(Role.INTERMEDIATE, kind)

    def _constant(self, constant: tvm.ir.expr.GenericConst) -> int:
        array = constant.value.numpy()
        index = self._buffer(Role.CONSTANT, constant.ty)
        self.constants.append(array)
        return index

    def _buffer(self, role: Role, kind: tvm.ir.Type) -> int:
        shape = [int(extent) for extent in kind.shape]
        dtype = str(kind.dtype)
        size = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
        number = sum(1 for buffer in self.buffers if buffer.role is role)
        self.buffers.append(Buffer(len(self.buffers), role, number, size, dtype))
        return len(self.buffers) - 1

    def _assign_outputs(self, results: list[int]) -> None:
        """Let kernels write straight into the caller's outputs; copy what cannot be written there."""
        taken: set[int] = set()
        for number, index in enumerate(results):
            buffer = self.buffers[index]
            if buffer.role is Role.INTERMEDIATE and index not in taken:
                self.buffers[index] = Buffer(index, Role.OUTPUT, number, buffer.size, buffer.dtype)
                taken.add(index)
                continue
            copy = Buffer(len(self.buffers), Role.OUTPUT, number, buffer.size, buffer.dtype)
            self.buffers.append(copy)
            self.steps.append(Copy(index, copy.index))
        intermediates = [buffer for buffer in self.buffers if buffer.role is Role.INTERMEDIATE]
        for number, buffer in enumerate(intermediates):
            self.buffers[buffer.index] = Buffer(buffer.index, buffer.role, number, buffer.size, buffer.dtype)


def _flatten(value: _Value) -> list[int]:
    if isinstance(value, int):
        return [value]
    return [index for field in value for index in _flatten(field)]
