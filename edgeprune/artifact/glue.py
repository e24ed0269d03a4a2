"""The generated C that calls the kernels in order, and the assembly file that holds the weights."""

from __future__ import annotations

from edgeprune.artifact.header import profiled_prototype, prototype
from edgeprune.artifact.kernels import CompiledKernel
from edgeprune.artifact.layout import MemoryLayout
from edgeprune.lowering.program import Buffer, Copy, KernelCall, Program, Role


def render_glue(
    program: Program,
    kernels: dict[str, CompiledKernel],
    layout: MemoryLayout,
    *,
    model: str,
    version: str,
    profiled: bool = False,
) -> str:
    """Return the C source of the library's entry points, or of the benchmark's profiled one."""
    declare = profiled_prototype if profiled else prototype
    entry = declare(model, len(program.inputs), len(program.outputs))
    return "\n".join(
        [
            *opening(model),
            *declarations(program, kernels),
            "",
            *(
                [f"{declare(model, len(program.inputs), len(program.outputs))};"]
                if profiled
                else queries(model, version)
            ),
            "",
            f"{entry} {{",
            *(f"    {line}" for line in argument_checks(program)),
            *(f"    {line}" for line in _body(program, kernels, layout, model, profiled)),
            "    return EDGEPRUNE_OK;",
            "}",
            "",
        ]
    )


def render_embedded(symbol: str, blob_name: str) -> str:
    """Return assembly that puts the file ``blob_name`` into read-only data under ``symbol``, 64-byte aligned."""
    return "\n".join(
        [
            f'    .section .rodata.{symbol},"a",%progbits',
            "    .balign 64",
            f"    .globl {symbol}",
            f"    .hidden {symbol}",
            f"    .type {symbol},%object",
            f"{symbol}:",
            f'    .incbin "{blob_name}"',
            f"    .size {symbol}, . - {symbol}",
            '    .section .note.GNU-stack,"",%progbits',
            "",
        ]
    )


def render_export_list(model: str, *, threaded: bool = False) -> str:
    """Return the linker's version script: a shared library shows its interface and nothing else."""
    names = ["run", "arena_bytes", "version", *(("set_threads", "set_affinity", "shutdown") if threaded else ())]
    return f"{{ global: {' '.join(f'{model}_{name};' for name in names)} local: *; }};\n"


def opening(model: str) -> list[str]:
    """Return what stands before the declarations of the kernels."""
    return [
        f'#include "{model}.h"',
        "",
        "#include <stdint.h>",
        "#include <string.h>",
        "",
        '#define HIDDEN __attribute__((visibility("hidden")))',
        "",
        f"extern const unsigned char {model}_weights[] HIDDEN;",
    ]


def queries(model: str, version: str) -> list[str]:
    """Return the functions that say what the library is."""
    return [
        f"size_t {model}_arena_bytes(void) {{ return {model.upper()}_ARENA_BYTES; }}",
        "",
        f'const char *{model}_version(void) {{ return "{version}"; }}',
    ]


def declarations(program: Program, kernels: dict[str, CompiledKernel]) -> list[str]:
    """Return the kernels' prototypes."""
    arguments = {step.kernel: step.arguments for step in program.steps if isinstance(step, KernelCall)}
    lines = []
    for name, kernel in sorted(kernels.items()):
        parameters = ["const void *"] * (len(kernel.passed(arguments[name])) + len(kernel.workspaces))
        parameters += ["int", "int"] if kernel.shared is not None else []
        lines.append(f"extern void {kernel.symbol}({', '.join(parameters)}) HIDDEN; /* {name} */")
    return lines


def argument_checks(program: Program) -> list[str]:
    """Return the lines that refuse what a caller must not pass."""
    tensors = [f"input{index}" for index in range(len(program.inputs))]
    tensors += [f"output{index}" for index in range(len(program.outputs))]
    nulls = " || ".join(f"!{name}" for name in ["arena", *tensors])
    misaligned = " | ".join(f"(uintptr_t){name}" for name in tensors)
    return [
        f"if ({nulls}) return EDGEPRUNE_ENULL;",
        f"if ((uintptr_t)arena % 64 != 0 || ({misaligned}) % sizeof(float) != 0) return EDGEPRUNE_EALIGN;",
    ]


def _body(
    program: Program, kernels: dict[str, CompiledKernel], layout: MemoryLayout, model: str, profiled: bool
) -> list[str]:
    lines = ["unsigned char *a = (unsigned char *)arena;", f"const unsigned char *w = {model}_weights;"]
    for number, step in enumerate(program.steps):
        if isinstance(step, Copy):
            lines.append(copy_call(step, program, layout))
        else:
            places = [place(program.buffers[index], layout) for index in kernels[step.kernel].passed(step.arguments)]
            places += [f"a + {offset}" for offset in layout.workspaces.get(number, ())]
            lines.append(f"{kernels[step.kernel].symbol}({', '.join(places)});")
        lines += [f"step_done({number});"] if profiled else []
    # A network that is nothing but copies uses neither.
    return [*lines, "(void)a;", "(void)w;"]


def copy_call(step: Copy, program: Program, layout: MemoryLayout) -> str:
    """Return the statement that copies a whole buffer."""
    source, destination = program.buffers[step.source], program.buffers[step.destination]
    return f"memcpy({place(destination, layout)}, {place(source, layout)}, {source.size});"


def place(buffer: Buffer, layout: MemoryLayout) -> str:
    """Return the C expression of a buffer's address."""
    if buffer.role is Role.INTERMEDIATE:
        return f"a + {layout.buffers[buffer.index]}"
    if buffer.role is Role.CONSTANT:
        return f"w + {layout.constants[buffer.index]}"
    return f"{buffer.role.value}{buffer.number}"
