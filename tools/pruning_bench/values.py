"""Random, non-trivial values for every tensor of a network: what exactness is measured on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FunctionType
from typing import Any

import torch
from torch import Tensor, nn


@contextmanager
def without_initialisation() -> Iterator[None]:
    """Skip ``torch.nn.init`` inside the block: every parameter is filled afterwards, and large networks take long."""
    before = {
        name: value for name, value in vars(nn.init).items() if isinstance(value, FunctionType) and name[-1] == "_"
    }
    for name in before:
        setattr(nn.init, name, _untouched)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(nn.init, name, value)


def _untouched(tensor: Tensor, *_args: Any, **_kwargs: Any) -> Tensor:
    return tensor


@torch.no_grad()
def fill(model: nn.Module, seed: int = 0) -> None:
    """Give every parameter and statistic a seeded value that a wrong removal cannot hide behind.

    Scales of normalisations and layers are between 0.5 and 1.5 and never 1e-6, shifts and means are spread around
    zero, variances between 0.5 and 1.5. Matrices are normal with variance 1 / fan-in, filters with 3 / fan-in, so that
    what is left after half of the channels went still carries the input's signal through rectifiers.
    """
    generator = torch.Generator().manual_seed(seed)
    parameters = dict(model.named_parameters())
    for name, parameter in parameters.items():
        if not parameter.is_floating_point():
            continue
        owner, _, leaf = name.rpartition(".")
        if sum(size > 1 for size in parameter.shape) > 1:
            gain = 3.0 if parameter.ndim > 2 else 1.0
            parameter.normal_(generator=generator).mul_((gain / parameter[0].numel()) ** 0.5)
        elif leaf == "bias":
            sibling = parameters.get(f"{owner}.weight")
            scale = 0.3 if sibling is None or sibling.ndim == 1 else 0.1
            _distinct(parameter, lambda p, scale=scale: p.normal_(generator=generator).mul_(scale))
        else:
            _distinct(parameter, lambda p: p.uniform_(0.5, 1.5, generator=generator))
    for name, buffer in model.named_buffers():
        if name.endswith("running_mean"):
            buffer.normal_(generator=generator).mul_(0.3)
        elif name.endswith("running_var"):
            buffer.uniform_(0.5, 1.5, generator=generator)


def _distinct(parameter: Tensor, draw: Callable[[Tensor], Tensor]) -> None:
    """Draw until all values differ, so that what was kept of them can be told."""
    while draw(parameter).unique().numel() < parameter.numel():
        pass


@torch.no_grad()
def settle(model: nn.Module, inputs: tuple[Tensor, ...], seed: int = 0) -> None:
    """Bring batch normalisations' statistics near what they see, and then away from it at random.

    Without it a deep network's signal dies or drowns in its biases. The means end up to about 0.3 deviations off, the
    variances by a factor between 0.5 and 1.5.
    """
    generator = torch.Generator().manual_seed(seed)
    norms = [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm) and m.track_running_stats]
    if not norms:
        return
    for norm in norms:
        norm.train()
        norm.momentum, norm.before = 1.0, norm.momentum
    model(*inputs)
    for norm in norms:
        norm.eval()
        norm.momentum = norm.before
        del norm.before
        assert norm.running_mean is not None and norm.running_var is not None
        norm.running_var.clamp_(min=1e-5)
        shift = torch.randn(norm.running_mean.shape, generator=generator) * 0.3
        norm.running_mean += shift * norm.running_var.sqrt()
        norm.running_var *= torch.rand(norm.running_var.shape, generator=generator) + 0.5
        norm.num_batches_tracked.zero_()
