"""The same amounts per layer as another pruning: what random pruning must be compared with.

Blalock et al., "What is the state of neural network pruning?" (2020) compare a criterion with random pruning both
over the whole network and layer by layer: the second tells what choosing the weights is worth beside choosing how many
of each layer.
"""

from __future__ import annotations

import glob
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file

from edgeprune.errors import UserError
from edgeprune.pruning.masks import Masks
from edgeprune.pruning.plan import Plan
from edgeprune.pruning.prunable import layer_of
from edgeprune.recipe import Override, Prune
from edgeprune.recipe.amounts_file import amounts_file


def overrides_of(reference: Plan | Masks) -> list[Override]:
    """Return an override per layer that takes the fraction which ``reference`` takes.

    >>> settings = Prune(amount=0.5, criterion="random", override=overrides_of(plan))  # doctest: +SKIP
    """
    if isinstance(reference, Plan):
        amounts = {layer.name: 1 - layer.after / layer.before for layer in reference.layers}
    else:
        amounts = {layer_of(name): 1 - int(mask.sum()) / mask.numel() for name, mask in reference.items()}
    return [Override(pattern=glob.escape(name), amount=amount) for name, amount in amounts.items()]


def with_amounts(settings: Prune) -> Prune:
    """Return the settings with the amounts of the earlier run that ``amounts_from`` names, if it names one.

    Raises:
        UserError: there is no such file, or it is no plan or masks.
    """
    path = amounts_file(settings)
    if path is None:
        return settings
    reference = _read_masks(path) if settings.masks_only else Plan.from_json(path.read_text(encoding="utf-8"))
    return settings.model_copy(update={"amounts_from": None, "override": overrides_of(reference)})


def _read_masks(path: Path) -> Masks:
    try:
        return Masks({name: mask for name, mask in load_file(path).items() if mask.dim() > 1})
    except SafetensorError as error:
        raise UserError(f"prune.amounts_from: {path}: not a safetensors file of masks: {error}") from None
