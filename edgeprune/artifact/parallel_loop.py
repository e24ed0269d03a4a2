"""A kernel's parallel loop as two more parameters, so that whoever calls it says which iterations to run.

TVM would make such a loop a function of its own and hand it to ``TVMBackendParallelLaunch``, through a weak variable
that a whole process shares: two networks in one program would fight over it, and threads would be woken for every
kernel. Bounds as parameters leave both to the caller, and the kernels' object asks for nothing more than before.
"""

from __future__ import annotations

from dataclasses import dataclass

from tvm import tirx


@dataclass(frozen=True)
class SplitLoop:
    """``body`` runs the iterations from the first of ``bounds`` (int32) to before the second, of ``iterations``."""

    body: tirx.Stmt
    bounds: tuple[tirx.Var, tirx.Var]
    iterations: int


def split_parallel_loop(body: tirx.Stmt) -> SplitLoop | None:
    """Return ``body`` with bounds for its parallel loop, or None if it is not one such loop and nothing else.

    Whatever memory the loop needs must be allocated inside it: then every thread has its own.
    """
    parts = list(body.seq) if isinstance(body, tirx.SeqStmt) else [body]
    loops = [part for part in parts if not isinstance(part, tirx.DeclBuffer)]
    if len(loops) != 1 or not isinstance(loops[0], tirx.For) or loops[0].kind != tirx.ForKind.PARALLEL:
        return None
    loop = loops[0]
    if int(loop.min) != 0:
        return None
    first, end = tirx.Var("first", "int32"), tirx.Var("end", "int32")
    bounded = tirx.For(
        loop.loop_var, first, end - first, tirx.ForKind.SERIAL, loop.body, None, loop.annotations, loop.step
    )
    whole = [bounded if part is loop else part for part in parts]
    return SplitLoop(tirx.SeqStmt(whole) if len(whole) > 1 else bounded, (first, end), int(loop.extent))
