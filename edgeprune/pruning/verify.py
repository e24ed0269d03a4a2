"""Whether two networks compute the same on seeded inputs of the traced shapes."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from edgeprune.errors import ParityError
from edgeprune.evaluation_mode import evaluation_mode
from edgeprune.parity import Parity, compare

_TOLERANCES = {torch.float64: 1e-10, torch.float32: 1e-5}
_DOUBLE_TOLERANCE = 1e-5


def sample_inputs(inputs: tuple[tuple[tuple[int, ...], str], ...], seed: int = 0) -> tuple[Tensor, ...]:
    """Return seeded inputs: normal numbers, and zeros and ones where the type is not floating."""
    generator = torch.Generator().manual_seed(seed)
    made = []
    for shape, name in inputs:
        dtype: torch.dtype = getattr(torch, name)
        if dtype.is_floating_point:
            made.append(torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype))
        else:
            made.append(torch.randint(0, 2, shape, generator=generator).to(dtype))
    return tuple(made)


def check_equal(expected: nn.Module, actual: nn.Module, inputs: tuple[Tensor, ...], border: str) -> Parity:
    """Compare two networks' outputs, both in evaluation mode.

    The tolerance is 1e-5 in float32 and 1e-10 in float64, relative to the largest output.

    Raises:
        ParityError: they differ.
    """
    left, right = outputs_of(expected, inputs), outputs_of(actual, inputs)
    return _worst(left, right, border, _TOLERANCES.get(left[0].dtype, 1e-2))


def check_exact(expected: nn.Module, actual: nn.Module, inputs: tuple[Tensor, ...], border: str) -> Parity:
    """Require equal outputs as ``check_equal`` does, or equal ones in double precision.

    A deep network on weights that nobody trained can amplify rounding past any tolerance in float32; a mistake in
    structure is as large in float64.

    Raises:
        ParityError: they differ in both.
    """
    try:
        return check_equal(expected, actual, inputs, border)
    except ParityError:
        if any(value.dtype is torch.float64 for value in inputs) or not all(map(torch.is_floating_point, inputs)):
            raise
    wide = tuple(value.double() for value in inputs)
    left, right = (outputs_of(copy.deepcopy(model).double(), wide) for model in (expected, actual))
    return _worst(left, right, f"{border}, in float64", _DOUBLE_TOLERANCE)


def _worst(left: list[Tensor], right: list[Tensor], border: str, tolerance: float) -> Parity:
    pairs = zip(left, right, strict=True)
    found = [compare(_array(one), _array(other), border=border, tolerance=tolerance) for one, other in pairs]
    return max(found, key=lambda parity: parity.relative_error)


def outputs_of(model: nn.Module, inputs: tuple[Tensor, ...]) -> list[Tensor]:
    """Return the tensors a network gives in evaluation mode; what it draws at random is the same in every call."""
    with evaluation_mode(model), torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return list(tensors_in(model(*(value.clone() for value in inputs))))


def tensors_in(value: Any) -> Iterator[Tensor]:
    """Yield every tensor of a nested output in order."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        for entry in value.values():
            yield from tensors_in(entry)
    elif isinstance(value, (list, tuple)):
        for entry in value:
            yield from tensors_in(entry)


def _array(tensor: Tensor) -> np.ndarray[Any, Any]:
    return tensor.detach().double().cpu().numpy()
