"""How much arithmetic a kernel is, counted before it is scheduled: what it computes, however it does so."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

import tvm
from tvm import s_tir, tirx

from edgeprune.lowering.winograd import MACS, STAGE

# One operation each. A comparison that chooses (max, a rectifier) counts, as it is one instruction like an addition;
# index arithmetic does not: it is not in floating point.
_OPERATIONS = (tirx.Add, tirx.Sub, tirx.Mul, tirx.Div, tirx.Max, tirx.Min)
_SLICE = "real_channels"


@dataclass(frozen=True)
class Work:
    """``flop`` are floating-point operations of one call, a multiply-add counting as two; ``macs`` multiply-adds."""

    flop: int
    macs: int


def kernel_work(function: tirx.PrimFunc) -> Work:
    """Return the work of one call of a kernel that has no schedule yet.

    Sums for channels that lowering added to fill a vector are not counted: nobody asked for them. What element-wise
    operations do to such channels is. A convolution by Winograd's method counts as it is defined, so that rates
    compare.
    """
    blocks = list(_blocks(function.body))
    asked_for = {
        block.reads[0].source.name: prod(map(int, block.writes[0].source.shape))
        for block in blocks
        if block.name_hint.startswith(_SLICE)
    }
    found = [_block_work(block, asked_for) for block in blocks]
    return Work(sum(work.flop for work in found), sum(work.macs for work in found))


def _block_work(block: s_tir.SBlock, asked_for: dict[str, int]) -> Work:
    if not isinstance(block.body, tirx.BufferStore):
        return Work(0, 0)
    if STAGE in block.annotations or MACS in block.annotations:
        macs = int(block.annotations.get(MACS, 0))
        return Work(2 * macs, macs)
    turns = prod(int(variable.dom.extent) for variable in block.iter_vars)
    whole = prod(map(int, block.body.buffer.shape))
    turns = turns * asked_for.get(block.body.buffer.name, whole) // whole
    operations = _operations(block.body.value)
    multiply_adds = turns if block.init is not None and _adds_a_product(block.body.value) else 0
    return Work(turns * operations, multiply_adds)


def _blocks(statement: tirx.Stmt) -> Iterator[s_tir.SBlock]:
    if isinstance(statement, tirx.SeqStmt):
        for part in statement.seq:
            yield from _blocks(part)
    elif isinstance(statement, s_tir.SBlockRealize):
        yield statement.block
        yield from _blocks(statement.block.body)
    elif isinstance(statement, tirx.For | tirx.AttrStmt):
        yield from _blocks(statement.body)


def _operations(value: tvm.ir.Expr) -> int:
    """Count floating-point operations; a call of a function of mathematics is one, a load's indices are none."""
    counts = isinstance(value, _OPERATIONS) or (isinstance(value, tvm.ir.Call) and _is_mathematics(value))
    own = int(counts and "float" in str(value.ty))
    return own + sum(map(_operations, _operands(value)))


def _operands(value: tvm.ir.Expr) -> list[tvm.ir.Expr]:
    if isinstance(value, tvm.ir.Call):
        # The first of three is the condition: whether an index lies inside of what is padded.
        return list(value.args[1:] if _name(value) == "tirx.if_then_else" else value.args)
    names = ("a", "b", "value", "true_value", "false_value")
    return [getattr(value, name) for name in names if isinstance(getattr(value, name, None), tvm.ir.Expr)]


def _is_mathematics(call: tvm.ir.Call) -> bool:
    return _name(call) not in ("tirx.if_then_else", "tirx.reinterpret")


def _name(call: tvm.ir.Call) -> str:
    return str(getattr(call.op, "name", call.op))


def _adds_a_product(value: tvm.ir.Expr) -> bool:
    return isinstance(value, tirx.Add) and any(isinstance(side, tirx.Mul) for side in (value.a, value.b))
