"""The training loop: fixed, deterministic, and able to continue after being killed at any moment."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from torch.optim import Optimizer

from edgeprune.data import Splits
from edgeprune.errors import StageFailure, UserError
from edgeprune.module_state import load_state
from edgeprune.progress import Progress, SilentProgress
from edgeprune.recipe import Retrain, Train
from edgeprune.training.augment import random_shift
from edgeprune.training.batches import cut, read_batches, sample_count
from edgeprune.training.callbacks import Callback
from edgeprune.training.checkpoint import facts_digest, load_checkpoint, save_checkpoint, state_digest
from edgeprune.training.distillation import Distillation
from edgeprune.training.evaluate import check_network, cross_entropy, evaluate
from edgeprune.training.group_lasso import GroupLasso
from edgeprune.training.history import Epoch, History
from edgeprune.training.learning_rate import learning_rate
from edgeprune.training.optimizer import (
    add_l1_gradient,
    add_scale_gradient,
    build_optimizer,
    normalisation_scales,
    optimizer_tensors,
    restore_optimizer,
    set_learning_rate,
)
from edgeprune.training.randomness import derive_seed, deterministic_algorithms, scoped_randomness
from edgeprune.training.user_callbacks import load_callbacks
from edgeprune.training.user_fit import run_user_fit


@dataclass(frozen=True)
class _Phase:
    """Everything one phase works with."""

    model: nn.Module
    optimizer: Optimizer
    splits: Splits
    settings: Train
    seed: int
    epochs: int
    callbacks: Sequence[Callback]
    distillation: Distillation | None
    groups: GroupLasso | None

    @property
    def table(self) -> str:
        return settings_table(self.settings)


def fit(
    model: nn.Module,
    splits: Splits,
    settings: Train,
    *,
    seed: int,
    epochs: int | None = None,
    callbacks: Sequence[Callback] = (),
    distillation: Distillation | None = None,
    checkpoint: Path | None = None,
    progress: Progress | None = None,
) -> History:
    """Train ``model`` in place for ``epochs`` (default ``settings.epochs``) and leave it in evaluation mode.

    The same arguments on the same machine give the same weights, bit for bit. With ``checkpoint`` the state is written
    there after each epoch, and a call with the same arguments and starting weights continues from it to the same
    final weights; a checkpoint of anything else is not used. ``settings.fit`` replaces the loop by the user's code.
    With ``distillation`` the network learns from a teacher too; the history's loss stays that of the labels.

    Raises:
        UserError: network and data do not belong together.
        StageFailure: the loss is no longer finite.
    """
    progress = progress or SilentProgress()
    epochs = settings.epochs if epochs is None else epochs
    check_network(model, splits)
    if settings.augment_shift and len(splits.input_shape) != 3:
        table = settings_table(settings)
        raise UserError(f"{table}.augment_shift: only images can be shifted, not samples of {splits.input_shape}")
    if settings.bn_l1 and not normalisation_scales(model):
        raise UserError(f"{settings_table(settings)}.bn_l1: the network has no batch normalisation with scales to pull")
    # The user's own first: whatever they do to weights, masks have the last word.
    callbacks = (*load_callbacks(settings.callbacks), *callbacks)
    if settings.fit is not None:
        if distillation is not None:
            raise UserError(f"{settings_table(settings)}.fit: the user's code trains without a teacher; remove one")
        return run_user_fit(model, splits, settings, seed=seed, epochs=epochs, callbacks=callbacks, progress=progress)
    optimizer, groups = build_optimizer(model, settings), _groups(model, splits, settings)
    phase = _Phase(model, optimizer, splits, settings, seed, epochs, callbacks, distillation, groups)
    identity = _fingerprint(phase)
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # the stub lacks the keyword alone
    try:
        return _run(phase, identity, checkpoint, progress)
    finally:
        model.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
        model.eval()


def settings_table(settings: Train) -> str:
    """Return the recipe table the settings came from."""
    return "retrain" if isinstance(settings, Retrain) else "train"


def _groups(model: nn.Module, splits: Splits, settings: Train) -> GroupLasso | None:
    if not settings.group_lasso:
        return None
    return GroupLasso.of(model, torch.zeros(1, *splits.input_shape), settings_table(settings))


def _run(phase: _Phase, identity: str, checkpoint: Path | None, progress: Progress) -> History:
    history = _resume(phase, identity, checkpoint, progress)
    progress.stage(phase.table, phase.epochs)
    for callback in phase.callbacks:
        callback.on_train_start(phase.model)
    for past in history.epochs:
        progress.advance(f"{_line(past, phase.epochs)}, from the checkpoint")
    for number in range(len(history.epochs) + 1, phase.epochs + 1):
        epoch = _train_epoch(phase, number)
        history = History((*history.epochs, epoch))
        for callback in phase.callbacks:
            callback.on_epoch_end(phase.model, epoch)
        if checkpoint is not None:
            _save(phase, history, identity, checkpoint)
        progress.advance(_line(epoch, phase.epochs))
    for callback in phase.callbacks:
        callback.on_train_end(phase.model)
    return history


def _train_epoch(phase: _Phase, number: int) -> Epoch:
    started = time.perf_counter()
    with scoped_randomness(derive_seed(phase.seed, "epoch", number)), deterministic_algorithms():
        for callback in phase.callbacks:
            callback.on_epoch_start(phase.model, number)
        loss, accuracy = _train_steps(phase, number)
    validation = evaluate(phase.model, phase.splits.validation)
    return Epoch(number, loss, accuracy, validation.fraction, time.perf_counter() - started)


def _train_steps(phase: _Phase, number: int) -> tuple[float, float]:
    """Run one epoch and return mean loss and accuracy; each sample counts once, however its batch was cut."""
    model, settings, total = phase.model, phase.settings, sample_count(phase.splits.train)
    generator = torch.Generator().manual_seed(derive_seed(phase.seed, "order", number))
    parts = cut(torch.randperm(total, generator=generator), settings.batch_size)
    loss_sum, correct = 0.0, 0
    model.train()
    for index, (samples, labels) in enumerate(read_batches(phase.splits.train, parts)):
        step = (number - 1) * len(parts) + index
        rate = learning_rate(
            decay=settings.decay, base=settings.learning_rate, step=step, steps=phase.epochs * len(parts)
        )
        set_learning_rate(phase.optimizer, rate)
        phase.optimizer.zero_grad()
        shifted = random_shift(samples, settings.augment_shift, generator)
        logits = model(shifted)
        loss = cross_entropy(logits, labels)
        value = loss.item()
        if not math.isfinite(value):
            raise _diverged(phase, value, number, f"step {index + 1} of {len(parts)}")
        # What is told of an epoch stays the loss of the labels as they are.
        smoothing = settings.label_smoothing
        objective = cross_entropy(logits, labels, smoothing) if smoothing else loss
        if phase.distillation is not None:
            objective = phase.distillation.loss(shifted, logits, objective)
        objective.backward()  # type: ignore[no-untyped-call]
        add_l1_gradient(model, settings.l1)
        add_scale_gradient(model, settings.bn_l1)
        if phase.groups is not None:
            phase.groups.add_gradient(model, settings.group_lasso)
        phase.optimizer.step()
        for callback in phase.callbacks:
            callback.on_step_end(model, phase.optimizer, step)
        loss_sum += value * len(labels)
        correct += int((logits.argmax(1) == labels).sum())
    return loss_sum / total, correct / total


def _diverged(phase: _Phase, loss: float, number: int, step: str) -> StageFailure:
    table, rate = phase.table, phase.settings.learning_rate
    return StageFailure(
        f"{table}: the loss is {loss} in epoch {number}, {step}; lower {table}.learning_rate (now {rate:g}) "
        f"or look for values that are not finite in the data"
    )


def _fingerprint(phase: _Phase) -> str:
    facts = {
        "settings": phase.settings.model_dump(mode="json"),
        "seed": phase.seed,
        "epochs": phase.epochs,
        "data": phase.splits.describe(),
        "callbacks": [callback.fingerprint() for callback in phase.callbacks],
        "distillation": phase.distillation.fingerprint() if phase.distillation is not None else None,
        "torch": torch.__version__,
        "start": state_digest(phase.model.state_dict()),
    }
    return facts_digest(facts)


def _save(phase: _Phase, history: History, identity: str, path: Path) -> None:
    tensors = {f"model/{name}": tensor for name, tensor in phase.model.state_dict().items()}
    moving = optimizer_tensors(phase.model, phase.optimizer)
    tensors |= {f"optimizer/{name}": tensor for name, tensor in moving.items()}
    for place, callback in enumerate(phase.callbacks):
        tensors |= {f"callback/{place}/{name}": tensor for name, tensor in callback.state().items()}
    save_checkpoint(path, tensors, history.as_dict(), identity)


def _resume(phase: _Phase, identity: str, path: Path | None, progress: Progress) -> History:
    if path is None or not path.exists():
        return History()
    found = load_checkpoint(path, identity)
    if found is None:
        progress.note(f"{path}: belongs to other settings, data or weights; {phase.table} starts afresh")
        return History()
    load_state(phase.model, found.below("model/"))
    restore_optimizer(phase.model, phase.optimizer, found.below("optimizer/"))
    for place, callback in enumerate(phase.callbacks):
        callback.restore(found.below(f"callback/{place}/"))
    return History.from_dict(found.facts)


def _line(epoch: Epoch, epochs: int) -> str:
    return (
        f"epoch {epoch.epoch}/{epochs}: loss {epoch.loss:.4f}, training {epoch.train_accuracy:.2%}, "
        f"validation {epoch.validation_accuracy:.2%} ({epoch.seconds:.1f} s)"
    )
