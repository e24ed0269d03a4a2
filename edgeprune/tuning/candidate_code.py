"""A candidate as plain C functions for another CPU, and the files that say what it must compute."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import tvm

from edgeprune.artifact.kernels import compile_functions
from edgeprune.tuning.measure_candidate import Reference
from edgeprune.tuning.plan import Plan, split_prepack

# Of every input in the file and in the program.
ALIGNMENT = 64
# What a file of inputs and one of expected values are called, by workload.
INPUTS, EXPECTED = ".inputs", ".expected"


@dataclass(frozen=True)
class CandidateCode:
    """What a builder made: the calls of ``plan`` under the C symbols ``{prefix}_s{step}``.

    ``workspaces`` has the bytes of every workspace of every step, which follow its buffers in its parameters.
    """

    prefix: str
    plan: Plan
    workspaces: tuple[tuple[int, ...], ...]

    def as_dict(self) -> dict[str, Any]:
        """Return JSON-able values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> CandidateCode:
        """Return the code that ``as_dict`` described."""
        workspaces = tuple(tuple(sizes) for sizes in data["workspaces"])
        return cls(data["prefix"], Plan.from_dict(data["plan"]), workspaces)


def build_code(module: tvm.IRModule, target: tvm.target.Target, object_path: Path, prefix: str) -> CandidateCode:
    """Compile the scheduled kernel ``module["main"]`` as an artifact's kernels are compiled, into ``object_path``.

    Raises:
        StageFailure: TVM or LLVM refused it.
    """
    functions, plan = split_prepack(module)
    symbols = {f"{prefix}_s{number}": step.function for number, step in enumerate(plan.steps)}
    sizes = compile_functions(
        {symbol: functions[name] for symbol, name in symbols.items()}, target, object_path=object_path, names=symbols
    )
    return CandidateCode(prefix, plan, tuple(sizes[symbol] for symbol in symbols))


def store_reference(reference: Reference, stem: Path) -> None:
    """Write the inputs, each on a 64-byte boundary, and the expected output beside ``stem``."""
    padded = bytearray()
    for array in reference.inputs:
        padded += array.tobytes()
        padded += bytes(-len(padded) % ALIGNMENT)
    stem.with_suffix(INPUTS).write_bytes(padded)
    stem.with_suffix(EXPECTED).write_bytes(reference.output.tobytes())
