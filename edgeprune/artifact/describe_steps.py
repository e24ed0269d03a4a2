"""A program's steps and kernels as the manifest and the benchmark executable name them."""

from __future__ import annotations

from edgeprune.artifact.manifest import KernelEntry, StepEntry
from edgeprune.lowering.program import Copy, Program

COPY = "copy"


def step_entries(program: Program) -> tuple[StepEntry, ...]:
    """Return the steps of an inference in order."""
    return tuple(_step(program, index) for index in range(len(program.steps)))


def kernel_entries(program: Program) -> tuple[KernelEntry, ...]:
    """Return the kernels by name; calls that share one move the same bytes."""
    moved = {entry.kernel: entry.bytes for entry in step_entries(program)}
    return tuple(
        KernelEntry(
            name=name,
            onnx_nodes=program.kernel_nodes[name],
            tuned=program.tuned[name],
            macs=program.work[name].macs,
            flop=program.work[name].flop,
            bytes=moved[name],
        )
        for name in sorted(program.kernels)
    )


def step_name(entry: StepEntry) -> str:
    """Return what the benchmark executable calls a step: "KERNEL: NODE, NODE"."""
    return f"{entry.kernel}: {', '.join(entry.onnx_nodes)}" if entry.onnx_nodes else entry.kernel


def _step(program: Program, index: int) -> StepEntry:
    step = program.steps[index]
    if isinstance(step, Copy):
        return StepEntry(COPY, (), macs=0, flop=0, bytes=2 * program.buffers[step.source].size)
    work = program.work[step.kernel]
    moved = sum(program.buffers[number].size for number in set(step.arguments))
    return StepEntry(step.kernel, step.nodes, macs=work.macs, flop=work.flop, bytes=moved)
