"""Finished rounds on disk, and what they must belong to for being used again."""

from __future__ import annotations

import torch
from torch import nn

from edgeprune.module_state import load_state
from edgeprune.pruning import Masks, Plan
from edgeprune.training.checkpoint import Checkpoint, facts_digest, save_checkpoint, state_digest
from edgeprune.training.round import Round
from edgeprune.training.selection import Selection
from edgeprune.training.work import Work


def identity_of(work: Work) -> str:
    """Return what a file of a round must carry to be used; taken before the first round changes the network."""
    facts = {
        "prune": work.recipe.prune.model_dump(mode="json"),
        "amounts": work.amounts,
        "retrain": work.recipe.retrain.model_dump(mode="json"),
        "seed": work.recipe.seed,
        "data": work.splits.describe(),
        "torch": torch.__version__,
        "start": state_digest(work.model.state_dict()),
    }
    if work.criterion is not None:
        facts["criterion"] = getattr(work.criterion, "__qualname__", type(work.criterion).__qualname__)
    if work.earlier is not None:
        facts["earlier"] = work.earlier.to_json()
    if work.start is not None:
        facts["restart"] = state_digest(work.start(1))
    return facts_digest(facts)


def save_round(work: Work, selection: Selection, done: Round, identity: str) -> None:
    """Keep a finished round; the epoch file of its retraining is of no use any more."""
    tensors = {f"model/{name}": tensor for name, tensor in work.model.state_dict().items()}
    tensors |= {f"mask/{name}": mask for name, mask in selection.masks.items()}
    plan = selection.plan.to_json() if selection.plan is not None else None
    save_checkpoint(work.round_file(done.number), tensors, {"round": done.as_dict(), "plan": plan}, identity)
    work.epoch_file.unlink(missing_ok=True)


def restore_round(done: Checkpoint, model: nn.Module) -> Selection:
    """Put the network where a finished round left it and return what the round held at zero."""
    load_state(model, done.below("model/"))
    plan = done.facts["plan"]
    return Selection(Masks(done.below("mask/")), Plan.from_json(plan) if plan is not None else None)
