"""First-order Taylor expansion of the loss: Molchanov et al., "Importance estimation for network pruning" (2019)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from edgeprune.errors import UserError
from edgeprune.evaluation_mode import evaluation_mode
from edgeprune.pruning.criteria.evidence import Batch, Evidence, per_set
from edgeprune.pruning.criteria.scores import Scores


def taylor(evidence: Evidence) -> Scores:
    """Sum of (gradient x weight)^2 over all weights that make a set, averaged over the batches; not normalised."""
    count = evidence.coupling.set_count
    products = gradient_products(evidence.model, evidence.batches("taylor"))
    layers = []
    for axis in evidence.coupling.axes:
        if axis.role == "consumer" or axis.name not in products:
            continue
        squares = products[axis.name]
        others = tuple(place for place in range(squares.ndim) if place != axis.axis)
        layers.append(per_set(axis, squares.sum(axis=others), count))
    return evidence.combine(layers, "sum", "none")


def gradient_products(model: nn.Module, batches: Sequence[Batch]) -> dict[str, Scores]:
    """Return the mean over batches (inputs, labels) of (gradient x weight)^2 for every parameter, of the cross-entropy.

    Raises:
        UserError: a batch has no labels.
    """
    parameters = dict(model.named_parameters())
    sums = {name: np.zeros(tuple(parameter.shape)) for name, parameter in parameters.items()}
    frozen = [parameter for parameter in parameters.values() if not parameter.requires_grad]
    for parameter in frozen:
        parameter.requires_grad_(True)
    try:
        with evaluation_mode(model), torch.enable_grad():
            for batch in batches:
                for name, gradient in _gradients(model, parameters, batch):
                    sums[name] += (gradient * parameters[name].detach()).double().cpu().numpy() ** 2
    finally:
        for parameter in frozen:
            parameter.requires_grad_(False)
    return {name: total / len(batches) for name, total in sums.items()}


def _gradients(model: nn.Module, parameters: dict[str, nn.Parameter], batch: Batch) -> list[tuple[str, Tensor]]:
    if isinstance(batch, Tensor) or len(batch) < 2:
        raise UserError("prune.criterion 'taylor' needs labels: calibration batches must be (inputs, labels)")
    loss = nn.functional.cross_entropy(model(*batch[:-1]), batch[-1])
    found = torch.autograd.grad(loss, list(parameters.values()), allow_unused=True)
    return [(name, gradient) for name, gradient in zip(parameters, found, strict=True) if gradient is not None]
