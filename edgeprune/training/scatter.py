"""Carrying what a compact network learnt back into the masked original."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from edgeprune.pruning import Plan


@torch.no_grad()
def scatter(compact: nn.Module, masked: nn.Module, plan: Plan) -> None:
    """Put the tensors of ``compact`` at the indices ``plan`` keeps into ``masked``, in place.

    Entries the plan removes stay as they are: zero where a mask holds them. The plan must not fold constants into
    what stays (a plan made by ranking never does), because these would be counted twice.
    """
    if plan.folds:
        raise ValueError("a plan with folds cannot be scattered back")
    small = compact.state_dict()
    for name, tensor in masked.state_dict().items():
        if name not in small:
            # A network that could only be shrunk as a traced graph has no copy of what its forward never reads.
            continue
        axes = plan.kept.get(name, {})
        _place(tensor, small[name], [axes.get(axis) for axis in range(tensor.dim())])


def _place(whole: Tensor, part: Tensor, kept: list[tuple[int, ...] | None]) -> None:
    if all(indices is None for indices in kept):
        whole.copy_(part)
        return
    grid = []
    for axis, indices in enumerate(kept):
        places = torch.arange(whole.shape[axis]) if indices is None else torch.tensor(indices)
        grid.append(places.reshape([-1 if other == axis else 1 for other in range(len(kept))]))
    whole[tuple(grid)] = part
