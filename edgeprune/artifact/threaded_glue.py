"""The generated C of a network whose kernels several threads share.

All threads run one function, which calls the kernels in order: a shared kernel is called by each with its part of the
iterations, any other by the first alone. Threads meet wherever one needs what another has written.
"""

from __future__ import annotations

from edgeprune.artifact.arena import aligned
from edgeprune.artifact.glue import argument_checks, copy_call, declarations, opening, place, queries
from edgeprune.artifact.header import profiled_prototype, prototype
from edgeprune.artifact.kernels import CompiledKernel
from edgeprune.artifact.layout import MemoryLayout
from edgeprune.lowering.program import Copy, KernelCall, Program


def render_threaded_glue(
    program: Program,
    kernels: dict[str, CompiledKernel],
    layout: MemoryLayout,
    *,
    model: str,
    version: str,
    profiled: bool = False,
) -> str:
    """Return the C source of the library's entry points, or of the benchmark's profiled one.

    It wants ``runtime/pool.h`` and EDGEPRUNE_MODEL defined.
    """
    tensors = [(f"input{index}", "const float *") for index in range(len(program.inputs))]
    tensors += [(f"output{index}", "float *") for index in range(len(program.outputs))]
    members = [("arena", "unsigned char *"), *tensors]
    arguments = ["arena", *(name for name, _ in tensors), *(["step_done"] if profiled else [])]
    declare = profiled_prototype if profiled else prototype
    entry = declare(model, len(program.inputs), len(program.outputs))
    return "\n".join(
        [
            *opening(model),
            *declarations(program, kernels),
            "",
            '#include "pool.h"',
            "",
            "struct call {",
            *(f"    {kind}{name};" for name, kind in members),
            *(["    void (*step_done)(int step);"] if profiled else []),
            "};",
            "",
            "static void steps(const void *opaque, int part, int parts) {",
            "    const struct call *call = opaque;",
            "    unsigned char *a = call->arena;",
            f"    const unsigned char *w = {model}_weights;",
            *(f"    {kind}{name} = call->{name};" for name, kind in tensors),
            *(f"    {line}" for line in _steps(program, kernels, layout, profiled)),
            *(f"    (void){name};" for name in ("a", "w", *(name for name, _ in tensors))),
            "}",
            "",
            *([f"{entry};"] if profiled else queries(model, version)),
            "",
            f"{entry} {{",
            *(f"    {line}" for line in argument_checks(program)),
            "    {",
            f"        struct call call = {{{', '.join(arguments)}}};",
            "        POOL(run)(steps, &call);",
            "    }",
            "    return EDGEPRUNE_OK;",
            "}",
            "",
            *([] if profiled else _thread_functions(model)),
        ]
    )


def _thread_functions(model: str) -> list[str]:
    return [
        f"int {model}_set_threads(int threads) {{ return POOL(set_threads)(threads); }}",
        "",
        f"int {model}_set_affinity(const int *cores, int count) {{ return POOL(set_affinity)(cores, count); }}",
        "",
        f"int {model}_shutdown(void) {{ return POOL(set_threads)(1); }}",
        "",
    ]


def _steps(program: Program, kernels: dict[str, CompiledKernel], layout: MemoryLayout, profiled: bool) -> list[str]:
    """Return the calls; between two of which neither is shared nobody has to wait, unless each is timed."""
    lines: list[str] = []
    alone = True
    for number, step in enumerate(program.steps):
        kernel = kernels[step.kernel] if isinstance(step, KernelCall) else None
        shared = kernel is not None and kernel.shared is not None
        if number > 0 and (shared or not alone) and not profiled:
            lines.append("POOL(meet)(parts);")
        if isinstance(step, Copy):
            call = copy_call(step, program, layout)
        else:
            call = _call(number, step, program, kernels[step.kernel], layout)
        lines.append(call if shared else f"if (part == 0) {call}")
        lines += ["POOL(meet)(parts);", f"if (part == 0) call->step_done({number});"] if profiled else []
        alone = not shared
    return lines


def _call(number: int, step: KernelCall, program: Program, kernel: CompiledKernel, layout: MemoryLayout) -> str:
    arguments = [place(program.buffers[index], layout) for index in kernel.passed(step.arguments)]
    for offset, size in zip(layout.workspaces.get(number, ()), kernel.workspaces, strict=True):
        own = "" if kernel.shared is None else f" + {aligned(size)} * part"
        arguments.append(f"a + {offset}{own}")
    if kernel.shared is not None:
        arguments += [f"pool_first({kernel.shared}, {part}, parts)" for part in ("part", "part + 1")]
    return f"{kernel.symbol}({', '.join(arguments)});"
