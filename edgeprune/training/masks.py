"""Keeping pruned entries at exactly zero while a network trains."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from edgeprune.errors import StageFailure, UserError
from edgeprune.training.callbacks import Callback

_INTEGERS = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


class MaskCallback(Callback):
    """Holds the entries of parameters at zero where a mask is False, whatever the optimizer does.

    ``masks`` maps a parameter's name to a bool tensor of its shape. The mask is applied after every update rather than
    to the gradient, because momentum and weight decay move an entry without one.
    """

    def __init__(self, masks: Mapping[str, Tensor]) -> None:
        for name, mask in masks.items():
            if mask.dtype != torch.bool:
                raise TypeError(f"mask of {name}: must be bool, not {mask.dtype}")
        self._masks = dict(masks)
        self._bits: dict[str, Tensor] = {}

    def fingerprint(self) -> str:
        """Return a hash of all masks."""
        digest = hashlib.sha256()
        for name, mask in sorted(self._masks.items()):
            digest.update(name.encode() + b"\0" + mask.numpy(force=True).tobytes())
        return f"{super().fingerprint()} {digest.hexdigest()}"

    @torch.no_grad()
    def apply(self, model: nn.Module) -> None:
        """Set the masked entries to zero.

        Raises:
            UserError: a masked parameter is missing or has another shape.
        """
        parameters = dict(model.named_parameters(remove_duplicate=False))
        for name, mask in self._masks.items():
            parameter = parameters.get(name)
            if parameter is None or parameter.shape != mask.shape:
                found = "missing" if parameter is None else f"of shape {tuple(parameter.shape)}"
                raise UserError(f"parameter {name!r} with a mask of {tuple(mask.shape)} is {found} in the network")
            # On the bits: a product would leave what is not finite, and filling takes eight times as long.
            integers = parameter.view(_INTEGERS[parameter.element_size()])
            integers.bitwise_and_(self._bits_of(name, integers))

    def _bits_of(self, name: str, like: Tensor) -> Tensor:
        """Return a parameter's mask as all ones or all zeros, in the type, place and memory layout of ``like``."""
        bits = self._bits.get(name)
        if bits is None or (bits.dtype, bits.device, bits.stride()) != (like.dtype, like.device, like.stride()):
            bits = torch.empty_like(like).copy_(-self._masks[name].to(like.dtype))
            self._bits[name] = bits
        return bits

    def verify(self, model: nn.Module) -> None:
        """Check that every masked entry is zero.

        Raises:
            StageFailure: one is not; names the parameter and how many.
        """
        parameters = dict(model.named_parameters(remove_duplicate=False))
        for name, mask in self._masks.items():
            alive = int(torch.count_nonzero(parameters[name].detach()[~mask.to(parameters[name].device)]))
            if alive:
                raise StageFailure(f"parameter {name!r}: {alive} masked entries are not zero")

    def on_train_start(self, model: nn.Module) -> None:
        """Apply the masks."""
        self.apply(model)

    def on_step_end(self, model: nn.Module, optimizer: Optimizer, step: int) -> None:
        """Apply the masks."""
        self.apply(model)

    def on_train_end(self, model: nn.Module) -> None:
        """Verify the masks."""
        self.verify(model)


@torch.no_grad()
def clear_state(model: nn.Module, optimizer: Optimizer, masks: Mapping[str, Tensor]) -> None:
    """Set what ``optimizer`` remembers of entries that a mask holds at zero (momentum, moments) to zero."""
    for name, parameter in model.named_parameters(remove_duplicate=False):
        if name in masks:
            for value in optimizer.state.get(parameter, {}).values():
                if isinstance(value, Tensor) and value.shape == parameter.shape:
                    value.masked_fill_(~masks[name].to(value.device), 0)
