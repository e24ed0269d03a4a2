"""Labels spread over all classes: the loss by its closed form, and a phase that trains on it."""

from __future__ import annotations

import math

import pytest
import torch

from edgeprune.data import Splits
from edgeprune.recipe import Train
from edgeprune.training import fit
from edgeprune.training.evaluate import cross_entropy
from tests.training.tiny_training import make_model, same_state


def test_closed_form() -> None:
    logits, label, share = [2.0, 0.0, -1.0], 0, 0.3
    total = sum(math.exp(value) for value in logits)
    negative = [math.log(total) - value for value in logits]
    wanted = (1 - share) * negative[label] + share * sum(negative) / 3
    loss = cross_entropy(torch.tensor([logits]), torch.tensor([label]), share)
    assert loss.item() == pytest.approx(wanted, rel=1e-6)


def test_a_phase_trains_on_it_and_reports_the_loss_of_the_labels(splits: Splits) -> None:
    plain, smoothed = make_model(), make_model()
    settings = Train(epochs=1, batch_size=1000, learning_rate=0.05)
    history = fit(plain, splits, settings, seed=1)
    other = fit(smoothed, splits, settings.model_copy(update={"label_smoothing": 0.2}), seed=1)
    # One step in the epoch: its loss is that of the same start, whatever was then learnt from.
    assert history.epochs[0].loss == other.epochs[0].loss
    assert not same_state(plain, smoothed)
