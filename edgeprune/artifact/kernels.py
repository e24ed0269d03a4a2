"""Kernels as plain C functions in one object file.

TVM's own packed convention passes boxed arguments through a frame and needs its runtime for errors and
workspaces. Here a kernel takes one pointer per buffer and returns nothing; every workspace too large for the
stack becomes one more pointer, so that the arena can hold it and two threads can run at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import tvm
from tvm import s_tir, tirx

from edgeprune.artifact.fixed_products import fix_products
from edgeprune.artifact.in_place import choose_in_place
from edgeprune.artifact.parallel_loop import split_parallel_loop
from edgeprune.errors import StageFailure
from edgeprune.lowering.program import Program

# Beyond this, a buffer local to a kernel leaves the stack: what is smaller may well end up in registers. TVM draws the
# line at a quarter of it, where the transforms of a tile of 6x6 vectors lie beyond; so does a buffer of just that size.
_MOST_STACK_BYTES = 4096
_TVMS_STACK_BYTES = 1024
# Alignment of loads and stores the code may rely on: that of a float, so that callers may pass any float pointer.
_ASSUMED_ALIGNMENT_BITS = 32


@dataclass(frozen=True)
class CompiledKernel:
    """A kernel in the object file: its C symbol and the bytes of each workspace it wants after its buffers.

    ``shared`` is the number of iterations of its outermost loop where threads may share it: such a kernel takes two
    more integers, the first iteration to run and the one after the last, and every thread needs its own workspaces.
    ``in_place`` is the position of the argument whose memory the output takes: the kernel has no pointer for it.
    """

    name: str
    symbol: str
    workspaces: tuple[int, ...]
    shared: int | None = None
    in_place: int | None = None

    def passed(self, arguments: Sequence[int]) -> list[int]:
        """Return those of a call's buffers that the kernel has a pointer for."""
        return [index for position, index in enumerate(arguments) if position != self.in_place]


@dataclass(frozen=True)
class _Wants:
    """What a compiled function takes beside its buffers, as in `CompiledKernel`."""

    workspaces: tuple[int, ...]
    shared: int | None


def compile_kernels(
    program: Program, target: tvm.target.Target, *, prefix: str, object_path: Path
) -> dict[str, CompiledKernel]:
    """Compile all kernels of ``program`` into ``object_path`` and return them by name.

    Symbols are ``{prefix}_k{number}``, in the order of the kernels' names.

    Raises:
        StageFailure: TVM or LLVM refused a kernel.
    """
    symbols = {name: f"{prefix}_k{number}" for number, name in enumerate(sorted(program.kernels))}
    functions = {symbol: program.kernels[name] for name, symbol in symbols.items()}
    names = {symbol: name for name, symbol in symbols.items()}
    chosen = choose_in_place(program)
    in_place = {symbols[name]: position for name, position in chosen.items()}
    wants = _compile(functions, target, object_path, names, share=True, in_place=in_place)
    return {
        name: CompiledKernel(name, symbol, wants[symbol].workspaces, wants[symbol].shared, chosen.get(name))
        for name, symbol in symbols.items()
    }


def compile_functions(
    functions: Mapping[str, tirx.PrimFunc], target: tvm.target.Target, *, object_path: Path, names: Mapping[str, str]
) -> dict[str, tuple[int, ...]]:
    """Compile scheduled ``functions`` under their C symbols into ``object_path``; return each one's workspaces.

    ``names`` are what an error calls them, by symbol. Parallel loops become serial ones.

    Raises:
        StageFailure: TVM or LLVM refused one.
    """
    wants = _compile(functions, target, object_path, names, share=False, in_place={})
    return {symbol: found.workspaces for symbol, found in wants.items()}


def _compile(
    functions: Mapping[str, tirx.PrimFunc],
    target: tvm.target.Target,
    object_path: Path,
    names: Mapping[str, str],
    *,
    share: bool,
    in_place: Mapping[str, int],
) -> dict[str, _Wants]:
    wants: dict[str, _Wants] = {}
    plain: dict[str, tirx.PrimFunc] = {}
    code_target = _unaligned(target)
    for symbol, function in functions.items():
        try:
            plain[symbol], wants[symbol] = _plain_function(
                function, symbol, code_target, share=share, in_place=in_place.get(symbol)
            )
        except (tvm.error.InternalError, ValueError, TypeError, RuntimeError) as error:
            raise StageFailure(f"kernel {names[symbol]}: {_last_line(error)}") from error
    try:
        _write_object(tvm.IRModule(plain), code_target, object_path)
    except (tvm.error.InternalError, ValueError, TypeError, RuntimeError) as error:
        raise StageFailure(f"LLVM: {_last_line(error)}") from error
    return wants


def _unaligned(target: tvm.target.Target) -> tvm.target.Target:
    described = {key: value for key, value in target.export().items() if not key.startswith("feature.")}
    described.pop("tag", None)
    return tvm.target.Target({**described, "vector-width": _ASSUMED_ALIGNMENT_BITS})


def _plain_function(
    function: tirx.PrimFunc, symbol: str, target: tvm.target.Target, *, share: bool, in_place: int | None
) -> tuple[tirx.PrimFunc, _Wants]:
    module = tvm.IRModule({symbol: function.with_attr("global_symbol", symbol)})
    with target:
        lowered = tvm.ir.transform.Sequential([tirx.transform.BindTarget(target), *_passes()])(module)[symbol]
    lowered = fix_products(lowered, target)
    split = split_parallel_loop(lowered.body) if share else None
    rewriter = _Rewriter()
    body = rewriter.rewrite(split.body if split is not None else lowered.body)
    pointers = [tirx.Var(buffer.name, _pointer(buffer.dtype)) for buffer in lowered.params]
    parameters = [pointer for position, pointer in enumerate(pointers) if position != in_place]
    if in_place is not None:
        pointers[in_place] = pointers[-1]
    declarations = [
        tirx.DeclBuffer(buffer, data=pointer) for buffer, pointer in zip(lowered.params, pointers, strict=True)
    ]
    parameters += [*rewriter.variables, *(split.bounds if split is not None else ())]
    plain = tirx.PrimFunc(parameters, tirx.SeqStmt([*declarations, body]), ret_type=None, attrs=lowered.attrs)
    return plain, _Wants(tuple(rewriter.sizes), split.iterations if split is not None else None)


def _write_object(module: tvm.IRModule, target: tvm.target.Target, path: Path) -> None:
    finished = tvm.ir.transform.Sequential([tirx.transform.LowerTVMBuiltin(), tirx.transform.LowerIntrin()])(module)
    built = tvm.get_global_func("target.build.llvm")(finished, target)
    built.write_to_file(str(path), "o")


def _pointer(dtype: str) -> tvm.ir.PointerType:
    return tvm.ir.PointerType(tvm.ir.PrimType(str(dtype)))


class _Rewriter:
    """Turns what is left of parallel loops serial and large allocations into parameters; ``sizes`` are their bytes."""

    def __init__(self) -> None:
        self.variables: list[tirx.Var] = []
        self.sizes: list[int] = []

    def rewrite(self, statement: tirx.Stmt) -> tirx.Stmt:
        if isinstance(statement, tirx.SeqStmt):
            return tirx.SeqStmt([self.rewrite(part) for part in statement.seq])
        if isinstance(statement, tirx.For):
            return self._loop(statement)
        if isinstance(statement, tirx.IfThenElse):
            otherwise = self.rewrite(statement.else_case) if statement.else_case is not None else None
            return tirx.IfThenElse(statement.condition, self.rewrite(statement.then_case), otherwise)
        if isinstance(statement, tirx.AttrStmt):
            return tirx.AttrStmt(statement.node, statement.attr_key, statement.value, self.rewrite(statement.body))
        if isinstance(statement, tirx.While):
            return tirx.While(statement.condition, self.rewrite(statement.body))
        if isinstance(statement, tirx.AllocBuffer):
            return self._allocation(statement)
        return statement

    def _loop(self, loop: tirx.For) -> tirx.For:
        kind = tirx.ForKind.SERIAL if loop.kind == tirx.ForKind.PARALLEL else loop.kind
        return tirx.For(
            loop.loop_var, loop.min, loop.extent, kind, self.rewrite(loop.body), None, loop.annotations, loop.step
        )

    def _allocation(self, allocation: tirx.AllocBuffer) -> tirx.Stmt:
        buffer = allocation.buffer
        size = _bytes(buffer)
        if size < _TVMS_STACK_BYTES:
            return allocation
        if size <= _MOST_STACK_BYTES:
            return tirx.AllocBuffer(buffer, {"disable_lower_builtin": tirx.IntImm("bool", 1)})
        variable = tirx.Var(f"workspace{len(self.sizes)}", _pointer(buffer.dtype))
        self.variables.append(variable)
        self.sizes.append(size)
        return tirx.DeclBuffer(buffer, data=variable)


def _bytes(buffer: tirx.Buffer) -> int:
    elements = 1
    for extent in buffer.shape:
        elements *= int(extent)
    kind = tvm.DataType(str(buffer.dtype))
    return elements * int(kind.lanes) * ((int(kind.bits) + 7) // 8)


def _last_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__


def _passes() -> list[tvm.ir.transform.Pass]:
    """Return TVM's passes for scheduled kernels on a CPU, up to where it would wrap them for its runtime."""
    return [
        s_tir.transform.CanonicalizeLoop(),
        s_tir.transform.LowerCrossThreadReduction(),
        s_tir.transform.LowerInitBlock(),
        s_tir.transform.PlanAndUpdateBufferAllocationLocation(),
        s_tir.transform.ConvertBlocksToOpaque(),
        s_tir.transform.LiftThreadBinding(),
        s_tir.transform.CompactBufferAllocation(),
        s_tir.transform.LowerAutoCopy(),
        s_tir.transform.UnifyThreadBinding(),
        s_tir.transform.LowerMatchBuffer(),
        s_tir.transform.StmtSimplify(),
        s_tir.transform.AnnotateIrregularLoop(),
        s_tir.transform.InjectSoftwarePipeline(),
        s_tir.transform.LowerOpaqueBlock(),
        tirx.transform.FlattenBuffer(),
        tirx.transform.NarrowDataType(32),
        s_tir.transform.LoopPartition(),
        tirx.transform.VectorizeLoop(True),
        s_tir.transform.InjectVirtualThread(),
        s_tir.transform.InjectDoubleBuffer(),
        tirx.transform.StorageRewrite(),
        s_tir.transform.HoistIfThenElse(),
        tirx.transform.UnrollLoop(),
        s_tir.transform.RenormalizeSplitPattern(),
        tirx.transform.StmtSimplify(),
        tirx.transform.RemoveNoOp(),
        s_tir.transform.RewriteUnsafeSelect(),
        tirx.transform.VerifyMemory(),
    ]
