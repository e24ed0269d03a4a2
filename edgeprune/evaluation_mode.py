"""Looking at a network as it is used, without changing it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def evaluation_mode(model: nn.Module) -> Iterator[None]:
    """Put every module into evaluation mode inside the block and back into its own mode after it.

    Some networks keep values computed in evaluation mode and drop them when ``train()`` is called; going through it on
    both sides keeps what was computed from earlier weights, or while tracing, out of later results.
    """
    modes = [(module, module.training) for module in model.modules()]
    mode = model.training
    model.train()
    model.eval()
    try:
        yield
    finally:
        model.train()
        model.train(mode)
        for module, training in modes:
            module.training = training
