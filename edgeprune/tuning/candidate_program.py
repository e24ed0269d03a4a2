"""The program that checks and runs a batch of candidates on a board: generated tables around a fixed main."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edgeprune.toolchain import CToolchain
from edgeprune.tuning.candidate_code import ALIGNMENT, CandidateCode
from edgeprune.tuning.measure_candidate import tolerance_of
from edgeprune.tuning.plan import Buffer
from edgeprune.tuning.runner import MEASURE_SECONDS

_MAIN = Path(__file__).parent / "board" / "candidates_main.c"


def link_candidates(
    codes: Sequence[CandidateCode], objects: Sequence[Path], toolchain: CToolchain, directory: Path
) -> Path:
    """Link candidates of one kernel into the executable ``directory/candidates`` (see ``candidates_main.c``).

    Raises:
        StageFailure: the toolchain refused.
    """
    main = directory / "candidates_main.o"
    if not main.exists():
        toolchain.compile(_MAIN, main, ["-O2", "-std=c11", f"-DSECONDS={MEASURE_SECONDS:.0f}"])
    source, table, executable = (directory / name for name in ("table.c", "table.o", "candidates"))
    source.write_text(render_table(codes), encoding="utf-8")
    toolchain.compile(source, table, ["-O1", "-std=c11", f"-I{_MAIN.parent}"])
    toolchain.link_executable([main, table, *objects], executable, ["-s", "-lm"])
    return executable


def render_table(codes: Sequence[CandidateCode]) -> str:
    """Return ``table.c``: buffers of every candidate, and how it is prepared and run."""
    plan = codes[0].plan
    result = plan.steps[-1].results[-1]
    lines = ['#include "candidates.h"', "", f"unsigned char candidate_inputs[{_offsets(plan.inputs)[-1]}] ALIGNED;"]
    for code in codes:
        lines += ["", *_candidate(code)]
    rows = [f"    {{{code.prefix}_prepare, {code.prefix}_run, {code.prefix}_result}}," for code in codes]
    kind = np.dtype(result.dtype)
    return "\n".join(
        [
            *lines,
            "",
            f"const struct candidate candidates[] = {{\n{chr(10).join(rows)}\n}};",
            f"const int candidate_count = {len(codes)};",
            f"const size_t candidate_input_bytes = {_offsets(plan.inputs)[-1]};",
            f"const size_t candidate_output_bytes = {_bytes(result)};",
            f"const int candidate_output_bits = {8 * kind.itemsize if kind.kind == 'f' else 0};",
            f"const float candidate_tolerance = {tolerance_of(kind):.9e}f;",
            "",
        ]
    )


def _candidate(code: CandidateCode) -> list[str]:
    plan, prefix = code.plan, code.prefix
    places = [f"candidate_inputs + {offset}" for offset in _offsets(plan.inputs)[:-1]]
    lines, calls = [], []
    for number, (step, sizes) in enumerate(zip(plan.steps, code.workspaces, strict=True)):
        results = [f"{prefix}_v{len(places) + index}" for index in range(len(step.results))]
        workspaces = [f"{prefix}_w{number}_{index}" for index in range(len(sizes))]
        lines += [
            f"static unsigned char {name}[{_bytes(b)}] ALIGNED;" for name, b in zip(results, step.results, strict=True)
        ]
        lines += [f"static unsigned char {name}[{size}] ALIGNED;" for name, size in zip(workspaces, sizes, strict=True)]
        arguments = [*(places[index] for index in step.arguments), *results, *workspaces]
        lines.append(f"extern void {prefix}_s{number}({', '.join(['void *'] * len(arguments))});")
        calls.append(f"{prefix}_s{number}({', '.join(arguments)});")
        places += results
    return [
        *lines,
        f"#define {prefix}_result {places[-1]}",
        f"static void {prefix}_prepare(void) {{ {' '.join(calls[:-1])} }}",
        f"static void {prefix}_run(void) {{ {calls[-1]} }}",
    ]


def _offsets(buffers: Sequence[Buffer]) -> list[int]:
    """Return where each input starts, and where the last one's padding ends."""
    offsets = [0]
    for buffer in buffers:
        end = offsets[-1] + _bytes(buffer)
        offsets.append(end + -end % ALIGNMENT)
    return offsets


def _bytes(buffer: Buffer) -> int:
    return int(np.prod(buffer.shape, dtype=np.int64)) * np.dtype(buffer.dtype).itemsize
