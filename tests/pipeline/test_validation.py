"""The accuracy that an artifact's manifest carries is the last one that training or pruning saw."""

from __future__ import annotations

import json
from pathlib import Path

from edgeprune.stages.validation import validation_accuracy


def write(root: Path, train: object, prune: object) -> Path:
    for name, content in (("train", train), ("prune", prune)):
        (root / name).mkdir()
        (root / name / "history.json").write_text(json.dumps(content))
    return root


def test_the_last_epoch_and_the_last_round_count(tmp_path: Path) -> None:
    epochs = [{"validation_accuracy": 0.5}, {"validation_accuracy": 0.9}]
    root = write(tmp_path, {"epochs": epochs}, {"rounds": [{"after_retraining": 0.25}, {"after_retraining": 0.75}]})
    assert (validation_accuracy(root, "dense"), validation_accuracy(root, "pruned")) == (0.9, 0.75)


def test_weights_that_were_not_trained_here_have_none(tmp_path: Path) -> None:
    root = write(tmp_path, {"epochs": []}, {"rounds": [{"after_retraining": 0.75}]})
    assert validation_accuracy(root, "dense") is None
