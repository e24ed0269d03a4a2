"""Handing a training phase to the user's own code."""

from __future__ import annotations

import time
from collections.abc import Sequence

import torch
from torch import nn

from edgeprune.data import Splits
from edgeprune.errors import StageFailure, UserError
from edgeprune.progress import Progress
from edgeprune.recipe import Train
from edgeprune.training.callbacks import Callback
from edgeprune.training.evaluate import evaluate
from edgeprune.training.history import Epoch, History
from edgeprune.training.masks import MaskCallback
from edgeprune.training.randomness import derive_seed, scoped_randomness
from edgeprune.user_code import load_callable


def run_user_fit(
    model: nn.Module,
    splits: Splits,
    settings: Train,
    *,
    seed: int,
    epochs: int,
    callbacks: Sequence[Callback],
    progress: Progress,
) -> History:
    """Call ``fit(model, train, validation, settings=dict, callbacks=list, seed=int)`` and check what it left.

    ``settings`` holds the recipe's table with ``epochs`` as wanted in this phase. The code should call every callback's
    ``on_step_end(model, optimizer, step)`` after each update; masks are applied again after it in any case. The phase
    counts as one epoch of the history, whose figures are measured here. It starts again from the beginning after an
    interruption.

    Raises:
        UserError: the code cannot be loaded, or it changed the network's parameters or their shapes.
        StageFailure: it raised, or a parameter is no longer finite.
    """
    spec = settings.fit or ""
    function = load_callable(spec)
    before = {name: tensor.shape for name, tensor in model.state_dict().items()}
    for callback in callbacks:
        callback.on_train_start(model)
    started = time.perf_counter()
    progress.stage(spec, 1)
    table = settings.model_dump() | {"epochs": epochs}
    with scoped_randomness(derive_seed(seed, "user fit")):
        try:
            function(model, splits.train, splits.validation, settings=table, callbacks=list(callbacks), seed=seed)
        except Exception as error:
            raise StageFailure(f"{spec}: failed: {type(error).__name__}: {error}") from error
    model.eval()
    _check(spec, model, before)
    _hold_masks(spec, model, callbacks, progress)
    return _measured(model, splits, time.perf_counter() - started, progress)


def _check(spec: str, model: nn.Module, before: dict[str, torch.Size]) -> None:
    after = {name: tensor.shape for name, tensor in model.state_dict().items()}
    if after != before:
        changed = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
        raise UserError(f"{spec}: must train the network in place, but it changed the shape of {changed[0]}")
    for name, parameter in model.named_parameters():
        if not bool(torch.isfinite(parameter).all()):
            raise StageFailure(f"{spec}: left values that are not finite in {name}")


def _hold_masks(spec: str, model: nn.Module, callbacks: Sequence[Callback], progress: Progress) -> None:
    for callback in callbacks:
        if isinstance(callback, MaskCallback):
            try:
                callback.verify(model)
            except StageFailure as failure:
                progress.note(f"{spec}: {failure}; set to zero again. Call on_step_end of every callback after a step")
                callback.apply(model)
        callback.on_train_end(model)


def _measured(model: nn.Module, splits: Splits, seconds: float, progress: Progress) -> History:
    train, validation = evaluate(model, splits.train), evaluate(model, splits.validation)
    progress.advance(f"training {train.fraction:.2%}, validation {validation.fraction:.2%} ({seconds:.1f} s)")
    return History((Epoch(1, train.loss, train.fraction, validation.fraction, seconds),))
