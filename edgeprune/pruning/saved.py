"""A compact network on disk: safetensors and JSON, loaded by the original class."""

from __future__ import annotations

import copy
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from edgeprune.errors import UserError
from edgeprune.module_state import load_state
from edgeprune.pruning.compact import compact_like
from edgeprune.pruning.plan import Plan

WEIGHTS = "compact.safetensors"
PLAN = "plan.json"


def save_compact(compact: nn.Module, plan: Plan, directory: Path) -> None:
    """Write ``compact.safetensors`` and ``plan.json`` (the kept indices of the original) to ``directory``.

    ``plan`` must be about the original network: of one that was pruned twice ``PruneResult.from_original``.
    """
    directory.mkdir(parents=True, exist_ok=True)
    state = {name: value.detach().contiguous().cpu().clone() for name, value in compact.state_dict().items()}
    weights, text = (directory / f"{name}.tmp" for name in (WEIGHTS, PLAN))
    save_file(state, weights)
    text.write_text(plan.to_json() + "\n", encoding="utf-8")
    weights.replace(directory / WEIGHTS)
    text.replace(directory / PLAN)


def load_compact(original: nn.Module, directory: Path) -> nn.Module:
    """Return the network that ``save_compact`` wrote, out of a freshly made ``original``, which is not changed.

    >>> network = load_compact(MyNetwork(), Path("pruned"))  # doctest: +SKIP

    Raises:
        UserError: a file is missing or broken, or was made for another network.
        StageFailure: the class cannot be brought to the plan's shapes.
    """
    try:
        plan = Plan.from_json((directory / PLAN).read_text(encoding="utf-8"))
        state = load_file(directory / WEIGHTS)
    except FileNotFoundError as error:
        raise UserError(f"{error.filename or directory / WEIGHTS}: no such file") from None
    except SafetensorError as error:
        raise UserError(f"{directory / WEIGHTS}: not a safetensors file: {error}") from None
    network = compact_like(_of_dtype(original, state), plan)
    try:
        load_state(network, state)
    except RuntimeError as error:
        raise UserError(f"{directory}: does not fit the network: {' '.join(str(error).split())}") from None
    return network


def _of_dtype(original: nn.Module, state: dict[str, torch.Tensor]) -> nn.Module:
    """Return the network in the type of the file's floating tensors, as loading alone would round them."""
    kinds = {value.dtype for value in state.values() if value.is_floating_point()}
    own = {value.dtype for value in original.parameters() if value.is_floating_point()}
    if len(kinds) == 1 and kinds != own:
        return copy.deepcopy(original).to(kinds.pop())
    return original
