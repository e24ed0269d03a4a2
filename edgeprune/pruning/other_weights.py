"""A second look at a compact network, with other weights than its own."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from edgeprune.parity import compare
from edgeprune.pruning.masks import plan_masks
from edgeprune.pruning.plan import Plan
from edgeprune.pruning.surgery import select
from edgeprune.pruning.trace import named_tensors
from edgeprune.pruning.verify import outputs_of

_TOLERANCES = {torch.float64: 1e-8, torch.float32: 1e-3}


def check_other_weights(full: nn.Module, smaller: nn.Module, plan: Plan, inputs: tuple[Tensor, ...]) -> None:
    """Compare a network and its compact form on random weights, masked in the one and cut in the other.

    A network as its constructor leaves it hides mistakes: shifts are zero and attention is all but uniform, so that one
    that takes heads apart in the wrong way still agrees to float rounding. Mistakes in structure show on random weights
    as differences of the size of the output; the tolerance is wide, since deep networks on such weights amplify
    rounding. Where they give no finite numbers, nothing is said.

    Raises:
        ParityError: they differ.
    """
    full, smaller = copy.deepcopy(full), copy.deepcopy(smaller)
    _randomise(full)
    plan_masks(full, plan).apply(full)
    cut = named_tensors(smaller)
    with torch.no_grad():
        for name, tensor in named_tensors(full).items():
            if name in cut:
                cut[name].copy_(select(tensor, plan.kept.get(name, {})))
    for one, other in zip(outputs_of(full, inputs), outputs_of(smaller, inputs), strict=True):
        if bool(torch.isfinite(one).all()):
            tolerance = _TOLERANCES.get(one.dtype, 0.1)
            left, right = (value.detach().double().cpu().numpy() for value in (one, other))
            compare(left, right, border="masked | compact, on random weights", tolerance=tolerance)


@torch.no_grad()
def _randomise(model: nn.Module) -> None:
    """Give parameters and running statistics random values that keep activations in the order of one, in place."""
    generator = torch.Generator().manual_seed(0)
    for name, tensor in named_tensors(model).items():
        leaf = name.rpartition(".")[2]
        if not tensor.is_floating_point() or not (isinstance(tensor, nn.Parameter) or leaf.startswith("running_")):
            continue
        values = torch.randn(tensor.shape, generator=generator)
        if tensor.ndim > 1:
            values /= max(tensor[0].numel(), 1) ** 0.5
        elif leaf == "running_var":
            values = values.abs() + 0.5
        else:
            values = 0.3 * values + (1.0 if leaf == "weight" else 0.0)
        tensor.copy_(values)
