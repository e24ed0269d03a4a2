"""Timing one library on this core, after checking what it computes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tvm
from numpy.typing import NDArray

from edgeprune.tuning.plan import Buffer, Plan, Step

# Reordered sums of fp32 differ by rounding; a wrong schedule differs by whole terms. In half precision they would
# differ too much to tell one from the other, so that the inputs there are such that sums are exact.
TOLERANCE = 1e-4
HALF_TOLERANCE = 2e-3
_REPEATS = 7
_REPEAT_MS = 2
# A candidate this many times slower than the best so far is not worth timing precisely.
_HOPELESS = 3.0


class WrongResultError(Exception):
    """The candidate computes something else than the unscheduled kernel."""


@dataclass(frozen=True)
class Reference:
    """Seeded inputs of a kernel and what its unscheduled form makes of them."""

    inputs: tuple[NDArray[np.generic], ...]
    output: NDArray[np.generic]


def make_inputs(buffers: tuple[Buffer, ...], seed: int) -> tuple[NDArray[np.generic], ...]:
    """Return one array per buffer, all from ``seed``.

    Floats are uniform in [-1, 1), integers in [0, 8). Halves are -1, 0 or 1, whose sums of products are whole numbers,
    exact up to 2048.
    """
    generator = np.random.default_rng(seed)
    return tuple(_random(generator, buffer) for buffer in buffers)


def run_reference(library: Path, plan: Plan, seed: int) -> tuple[Reference, float]:
    """Run the unscheduled kernel and return its inputs and output, and its seconds per call."""
    inputs = make_inputs(plan.inputs, seed)
    call = _Call(library, plan, inputs)
    return Reference(inputs, call.run()), call.seconds(best=None)


def measure_candidate(library: Path, plan: Plan, reference: Reference, best: float | None) -> float:
    """Return the seconds per call, warm, as the fastest of several repeats: other load only ever adds.

    Raises:
        WrongResultError: the output differs from the unscheduled kernel's by more than ``TOLERANCE`` of its maximum,
            in half precision ``HALF_TOLERANCE``.
    """
    call = _Call(library, plan, reference.inputs)
    _check(reference.output, call.run())
    return call.seconds(best)


class _Call:
    def __init__(self, library: Path, plan: Plan, inputs: tuple[NDArray[np.generic], ...]) -> None:
        self._module = tvm.runtime.load_module(str(library))
        values = [tvm.runtime.tensor(array) for array in inputs]
        for step in plan.steps[:-1]:
            arguments = self._arguments(step, values)
            self._module.get_function(step.function)(*arguments)
            values += arguments[len(step.arguments) :]
        self._timed = plan.steps[-1].function
        self._arguments_of_timed = self._arguments(plan.steps[-1], values)

    @staticmethod
    def _arguments(step: Step, values: list[tvm.runtime.Tensor]) -> list[tvm.runtime.Tensor]:
        results = [tvm.runtime.empty(result.shape, result.dtype) for result in step.results]
        return [values[number] for number in step.arguments] + results

    def run(self) -> NDArray[np.generic]:
        self._module.get_function(self._timed)(*self._arguments_of_timed)
        output: NDArray[np.generic] = self._arguments_of_timed[-1].numpy()
        return output

    def seconds(self, best: float | None) -> float:
        first = self._fastest(repeats=3, number=1, repeat_ms=0)
        if best is not None and first > _HOPELESS * best:
            return first
        return self._fastest(repeats=_REPEATS, number=max(1, int(_REPEAT_MS / 1e3 / max(first, 1e-8))), repeat_ms=0)

    def _fastest(self, repeats: int, number: int, repeat_ms: int) -> float:
        evaluator = self._module.time_evaluator(
            self._timed, tvm.cpu(), number=number, repeat=repeats, min_repeat_ms=repeat_ms
        )
        return float(min(evaluator(*self._arguments_of_timed).results))


def _random(generator: np.random.Generator, buffer: Buffer) -> NDArray[np.generic]:
    dtype = np.dtype(buffer.dtype)
    if dtype == np.float16:
        return generator.integers(-1, 2, buffer.shape).astype(dtype)
    if dtype.kind == "f":
        return generator.uniform(-1, 1, buffer.shape).astype(dtype)
    return generator.integers(0, 2 if dtype.kind == "b" else 8, buffer.shape).astype(dtype)


def _check(expected: NDArray[np.generic], actual: NDArray[np.generic]) -> None:
    left, right = (np.asarray(side, dtype=np.float64) for side in (expected, actual))
    finite = np.isfinite(left)
    if not np.array_equal(finite, np.isfinite(right)):
        raise WrongResultError("values are not finite where they should be, or the other way round")
    scale = max(float(np.abs(left[finite]).max(initial=0.0)), float(np.finfo(np.float32).tiny))
    error = float(np.abs(left[finite] - right[finite]).max(initial=0.0))
    if error > tolerance_of(expected.dtype) * scale:
        raise WrongResultError(f"relative error {error / scale:.3g}")


def tolerance_of(dtype: np.dtype[Any]) -> float:
    """Return the largest difference that counts as right, as a part of the output's maximum."""
    return HALF_TOLERANCE if dtype == np.float16 else TOLERANCE
