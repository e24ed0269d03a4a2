"""Masks: which entries of which parameters are held at zero."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from edgeprune.errors import UserError
from edgeprune.pruning.plan import Plan
from edgeprune.pruning.surgery import select
from edgeprune.pruning.trace import named_tensors


class Masks(Mapping[str, Tensor]):
    """Parameter name -> boolean tensor of its shape, true where the entry lives.

    Raises:
        UserError: a mask is not boolean (made of anything but 0 and 1).
    """

    def __init__(self, masks: Mapping[str, Tensor]) -> None:
        self._masks = {name: _binary(name, mask) for name, mask in masks.items()}

    def __getitem__(self, name: str) -> Tensor:
        return self._masks[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._masks)

    def __len__(self) -> int:
        return len(self._masks)

    @torch.no_grad()
    def apply(self, model: nn.Module) -> None:
        """Set the masked entries of ``model`` to zero, in place.

        Raises:
            UserError: the model lacks a masked parameter, or its shape differs.
        """
        tensors = named_tensors(model)
        for name, mask in self._masks.items():
            if name not in tensors or tensors[name].shape != mask.shape:
                found = tuple(tensors[name].shape) if name in tensors else "absent"
                raise UserError(f"mask of {name}: its shape is {tuple(mask.shape)}, the parameter is {found}")
            tensors[name].masked_fill_(~mask.to(tensors[name].device), 0)

    def shrunk(self, plan: Plan) -> Masks:
        """Return these masks in the shapes of the network that ``compact`` makes of ``plan``."""
        return Masks({name: select(mask, plan.kept.get(name, {})) for name, mask in self._masks.items()})

    @property
    def live(self) -> int:
        """Entries that live, over all masks."""
        return sum(int(mask.sum()) for mask in self._masks.values())

    @property
    def total(self) -> int:
        """All entries of all masks."""
        return sum(mask.numel() for mask in self._masks.values())

    def within(self, other: Masks) -> bool:
        """Tell whether every entry that lives here lives in ``other`` (a parameter without a mask lives)."""
        return all(
            not bool((~mask & self._masks[name]).any()) if name in self._masks else bool(mask.all())
            for name, mask in other.items()
        )


def plan_masks(model: nn.Module, plan: Plan) -> Masks:
    """Return the masks of a plan: all coupled entries of every removed channel.

    That is the rows that make it, its bias, its normalisation's scale and shift, its depthwise filter, and the columns
    of every layer that reads it; so the masked network computes what the compact one will, and gradients that go
    through the masks keep it so. Running statistics need no mask.

    Raises:
        UserError: the plan was made for another network.
    """
    parameters = dict(model.named_parameters(remove_duplicate=False))
    tensors = named_tensors(model)
    masks: dict[str, Tensor] = {}
    for name, axes in plan.kept.items():
        if name not in tensors:
            raise UserError(f"plan: this network has no parameter {name}; the plan was made for another one")
        if name in parameters:
            masks[name] = _kept_mask(name, parameters[name], axes)
    return Masks(masks)


def _kept_mask(name: str, parameter: Tensor, axes: Mapping[int, tuple[int, ...]]) -> Tensor:
    mask = torch.ones(parameter.shape, dtype=torch.bool)
    for axis, indices in axes.items():
        if axis >= parameter.ndim or (indices and max(indices) >= parameter.shape[axis]):
            raise UserError(f"plan: {name} has shape {tuple(parameter.shape)}; the plan was made for another network")
        alive = torch.zeros(parameter.shape[axis], dtype=torch.bool)
        alive[list(indices)] = True
        shape = [1] * parameter.ndim
        shape[axis] = -1
        mask &= alive.reshape(shape)
    return mask


def _binary(name: str, mask: Tensor) -> Tensor:
    if mask.dtype is not torch.bool and not bool(((mask == 0) | (mask == 1)).all()):
        raise UserError(f"mask of {name}: it must hold 0 and 1 only")
    return mask.to(torch.bool)
