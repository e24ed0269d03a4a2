"""The generated half of the benchmark executable: the network's interface and the golden records it carries."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeprune.artifact.header import profiled_prototype
from edgeprune.errors import UserError
from edgeprune.golden_inputs import CARRIED_BYTES, were_made
from edgeprune.lowering.model import TensorSpec

_MOST_RECORDS = 4


@dataclass(frozen=True)
class GoldenRecords:
    """Inputs and expected outputs, float32, one row per record: ``(records, elements of all tensors in order)``.

    ``made`` says that the executable makes the inputs itself and carries the outputs alone.
    """

    inputs: NDArray[np.float32]
    outputs: NDArray[np.float32]
    tolerance: float
    made: bool

    @classmethod
    def of(
        cls,
        inputs: NDArray[np.generic],
        outputs: NDArray[np.generic],
        tolerance: float,
        *,
        input_specs: tuple[TensorSpec, ...],
        output_specs: tuple[TensorSpec, ...],
    ) -> GoldenRecords:
        """Return as many of the given records as an executable should carry, at least one.

        The first axis of both arrays counts records; the rest is flattened. Inputs that `made_inputs` gave are not
        carried.

        Raises:
            UserError: the arrays do not fit the network or each other, or hold values that are not finite.
        """
        rows = {}
        for role, array, specs in (("inputs", inputs, input_specs), ("outputs", outputs, output_specs)):
            elements = sum(spec.elements for spec in specs)
            if array.ndim < 1 or array.shape[0] < 1 or array.size != array.shape[0] * elements:
                raise UserError(f"golden {role}: shape {array.shape} does not hold records of {elements} elements")
            if not np.isfinite(array).all():
                raise UserError(f"golden {role}: a value is not finite")
            rows[role] = np.ascontiguousarray(array, dtype="<f4").reshape(array.shape[0], elements)
        if len(rows["inputs"]) != len(rows["outputs"]):
            raise UserError(f"golden records: {len(rows['inputs'])} inputs but {len(rows['outputs'])} outputs")
        input_elements, output_elements = rows["inputs"].shape[1], rows["outputs"].shape[1]
        made = were_made(rows["inputs"])
        record = (output_elements if made else input_elements + output_elements) * 4
        kept = max(1, min(_MOST_RECORDS, len(rows["inputs"]), CARRIED_BYTES // record))
        return cls(rows["inputs"][:kept], rows["outputs"][:kept], tolerance, made)

    def blob(self) -> bytes:
        """Return what the executable carries: all records' inputs, unless they are made, then all records' outputs."""
        return (b"" if self.made else self.inputs.tobytes()) + self.outputs.tobytes()


def render_bench_model(
    *,
    model: str,
    version: str,
    inputs: tuple[TensorSpec, ...],
    outputs: tuple[TensorSpec, ...],
    golden: GoldenRecords,
    steps: tuple[str, ...],
    threads: int = 1,
) -> str:
    """Return ``bench_model.c``: the description that the benchmark's main reads; ``steps`` are the steps' names."""
    input_row, output_row = golden.inputs.shape[1], golden.outputs.shape[1]
    outputs_start = 0 if golden.made else golden.inputs.size
    records = range(len(golden.inputs))
    arguments = [f"inputs[{index}]" for index in range(len(inputs))]
    arguments += [f"outputs[{index}]" for index in range(len(outputs))]
    return "\n".join(
        [
            '#include "bench_model.h"',
            f'#include "{model}.h"',
            "",
            f"extern const float {model}_golden[];",
            "",
            _sizes("input_elements", inputs),
            _sizes("output_elements", outputs),
            *([] if golden.made else [_rows("golden_inputs", model, [record * input_row for record in records])]),
            _rows("golden_outputs", model, [outputs_start + record * output_row for record in records]),
            "",
            "static int run(void *arena, const float *const *inputs, float *const *outputs) {",
            f"    return {model}_run(arena, {', '.join(arguments)});",
            "}",
            "",
            *_profiled(model, len(inputs), len(outputs), arguments, steps),
            "const struct edgeprune_bench_model edgeprune_bench_model = {",
            f'    .name = "{model}", .version = "{version}", .arena_bytes = {model.upper()}_ARENA_BYTES,',
            f"    .inputs = {len(inputs)}, .outputs = {len(outputs)},",
            "    .input_elements = input_elements, .output_elements = output_elements,",
            f"    .golden_count = {len(golden.inputs)}, .golden_tolerance = {golden.tolerance:.9e}f,",
            f"    .golden_inputs = {'NULL' if golden.made else 'golden_inputs'}, .golden_outputs = golden_outputs,",
            "    .run = run, .run_profiled = run_profiled,",
            f"    .steps = {len(steps)}, .step_names = step_names,",
            *([f"    .set_threads = {model}_set_threads,"] if threads > 1 else []),
            "};",
            "",
        ]
    )


def _profiled(model: str, inputs: int, outputs: int, arguments: list[str], steps: tuple[str, ...]) -> list[str]:
    return [
        f"{profiled_prototype(model, inputs, outputs)};",
        "",
        "static int run_profiled(void *arena, const float *const *inputs, float *const *outputs,",
        "                        void (*step_done)(int step)) {",
        f"    return {model}_run_profiled(arena, {', '.join(arguments)}, step_done);",
        "}",
        "",
        "static const char *const step_names[] = {",
        *(f"    {_c_string(name)}," for name in steps),
        "    0};",
        "",
    ]


def _c_string(text: str) -> str:
    """Return a C literal; whatever could mean something else in C is written as octal bytes."""
    plain = re.compile(rb"[A-Za-z0-9_ ./:,;()=+-]")
    written = (chr(byte) if plain.match(bytes([byte])) else f"\\{byte:03o}" for byte in text.encode())
    return f'"{"".join(written)}"'


def _sizes(name: str, specs: tuple[TensorSpec, ...]) -> str:
    return f"static const size_t {name}[] = {{{', '.join(str(spec.elements) for spec in specs)}}};"


def _rows(name: str, model: str, starts: list[int]) -> str:
    pointers = ", ".join(f"{model}_golden + {start}" for start in starts)
    return f"static const float *const {name}[] = {{{pointers}}};"
