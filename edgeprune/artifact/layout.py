"""Where every buffer of a program lies: constants in read-only data, intermediates and workspaces in the arena."""

from __future__ import annotations

from dataclasses import dataclass

from edgeprune.artifact.arena import ALIGNMENT, ArenaPlan, Lifetime, aligned, plan_arena
from edgeprune.artifact.kernels import CompiledKernel
from edgeprune.lowering.program import Copy, KernelCall, Program, Role


@dataclass(frozen=True)
class MemoryLayout:
    """Offsets in bytes.

    ``buffers`` are arena offsets of intermediates by buffer index, ``workspaces`` those of a step's kernel workspaces
    by step index (where threads share the kernel, those of the first thread: the others' follow, each `aligned`),
    ``constants`` offsets into ``weights`` by buffer index.
    """

    buffers: dict[int, int]
    workspaces: dict[int, tuple[int, ...]]
    constants: dict[int, int]
    weights: bytes
    arena_bytes: int
    arena_bound_bytes: int


def lay_out(program: Program, kernels: dict[str, CompiledKernel], threads: int = 1) -> MemoryLayout:
    """Return a place for every buffer of ``program``; the arena is never smaller than one cache line.

    A kernel that ``threads`` share has workspaces for all of them.
    """
    spans, memory = _share_memory(program, kernels, _intermediate_spans(program))
    lifetimes = [Lifetime(program.buffers[index].size, *span) for index, span in spans.items()]
    owners: list[int] = []
    for number, step in enumerate(program.steps):
        if isinstance(step, KernelCall):
            kernel = kernels[step.kernel]
            for size in kernel.workspaces:
                whole = size if kernel.shared is None else aligned(size) * threads
                lifetimes.append(Lifetime(whole, number, number))
                owners.append(number)
    plan = plan_arena(lifetimes) if lifetimes else ArenaPlan((), 0, 0)
    offsets = dict(zip(spans, plan.offsets, strict=False))
    buffers = {index: offsets[first] for index, first in memory.items()}
    workspaces: dict[int, tuple[int, ...]] = {}
    for owner, offset in zip(owners, plan.offsets[len(spans) :], strict=True):
        workspaces[owner] = (*workspaces.get(owner, ()), offset)
    constants, weights = _lay_out_constants(program)
    return MemoryLayout(buffers, workspaces, constants, weights, max(plan.size, ALIGNMENT), plan.bound)


def _intermediate_spans(program: Program) -> dict[int, tuple[int, int]]:
    """Return first and last step of every intermediate buffer, by buffer index."""
    spans: dict[int, tuple[int, int]] = {}
    for number, step in enumerate(program.steps):
        touched = (step.source, step.destination) if isinstance(step, Copy) else step.arguments
        for index in touched:
            if program.buffers[index].role is Role.INTERMEDIATE:
                first = spans.get(index, (number, number))[0]
                spans[index] = (first, number)
    return spans


def _share_memory(
    program: Program, kernels: dict[str, CompiledKernel], spans: dict[int, tuple[int, int]]
) -> tuple[dict[int, tuple[int, int]], dict[int, int]]:
    """Return the spans of pieces of memory by their first buffer, and that buffer for every intermediate.

    A kernel that works in place hands on the memory of the buffer it reads.
    """
    owner = {index: index for index in spans}
    shared = dict(spans)
    for step in program.steps:
        position = kernels[step.kernel].in_place if isinstance(step, KernelCall) else None
        if isinstance(step, KernelCall) and position is not None:
            first, result = owner[step.arguments[position]], step.arguments[-1]
            owner[result] = first
            shared[first] = (shared[first][0], shared.pop(result)[1])
    return shared, owner


def _lay_out_constants(program: Program) -> tuple[dict[int, int], bytes]:
    """Return offsets and the bytes of all constants, equal ones stored once."""
    offsets: dict[int, int] = {}
    known: dict[bytes, int] = {}
    blob = bytearray()
    for buffer in program.buffers:
        if buffer.role is not Role.CONSTANT:
            continue
        content = program.constants[buffer.number].tobytes()
        if content not in known:
            blob.extend(b"\0" * (-len(blob) % ALIGNMENT))
            known[content] = len(blob)
            blob.extend(content)
        offsets[buffer.index] = known[content]
    return offsets, bytes(blob)
