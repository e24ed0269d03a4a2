from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from edgeprune.data import load_splits
from edgeprune.errors import UserError
from edgeprune.recipe import Data


def picture(path: Path, value: int | tuple[int, int, int], size: tuple[int, int] = (5, 4)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB" if isinstance(value, tuple) else "L", size, value).save(path)


def load(root: Path, shape: tuple[int, ...] = (1, 4, 5), validation: int = 1):
    return load_splits(Data(source="folder", path=str(root), validation=validation), 0, shape)


def refused(root: Path, message: str, shape: tuple[int, ...] = (1, 4, 5)) -> None:
    with pytest.raises(UserError, match=f"^{re.escape(message)}"):
        load(root, shape)


def test_train_and_test_directories(tmp_path: Path) -> None:
    for label, name in enumerate(("b-dog", "a-cat")):
        for number in range(3):
            picture(tmp_path / "train" / name / f"{number}.png", 10 * label + number)
        picture(tmp_path / "test" / name / "0.png", 100 + label)
    splits = load(tmp_path)
    assert splits.classes == ("a-cat", "b-dog")
    assert splits.test.labels.tolist() == [0, 1]  # type: ignore[attr-defined]
    assert splits.test.samples[:, 0, 0, 0].tolist() == [101, 100]  # type: ignore[attr-defined]
    order = torch.randperm(6, generator=torch.Generator().manual_seed(0))
    values = torch.tensor([10, 11, 12, 0, 1, 2])
    assert splits.train.samples[:, 0, 0, 0].tolist() == values[order[1:]].tolist()  # type: ignore[attr-defined]


def test_colour_is_channels_first_and_resized(tmp_path: Path) -> None:
    for name in ("a", "b"):
        for number in range(2):
            picture(tmp_path / name / f"{number}.png", (1, 2, 3), size=(9, 7))
    (tmp_path / "a" / "notes.txt").write_text("not an image, and not in the way")
    samples = load(tmp_path, shape=(3, 4, 5)).train.samples  # type: ignore[attr-defined]
    assert samples.shape == (2, 3, 4, 5)
    assert np.array_equal(samples[0, :, 0, 0].numpy(), [1, 2, 3])
    assert load(tmp_path, shape=(1, 4, 5)).train.samples[0, 0, 0, 0] == 2  # type: ignore[attr-defined]  # luma of 1, 2, 3


def test_refusals(tmp_path: Path) -> None:
    refused(tmp_path / "none", f"data.path: {tmp_path}/none: no such directory")
    refused(tmp_path, f"{tmp_path}: a directory per class is wanted, at least two; found none")
    picture(tmp_path / "a" / "0.png", 1)
    refused(tmp_path, f"{tmp_path}: a directory per class is wanted, at least two; found a")
    (tmp_path / "b").mkdir()
    refused(tmp_path, f"{tmp_path}/b: there are no images in it (.bmp, .gif,")
    refused(tmp_path, "model.input_shape: images need [1, H, W] or [3, H, W], not [2, 4, 5]", (2, 4, 5))
    (tmp_path / "b" / "0.png").write_bytes(b"\x89PNG and then nothing")
    refused(tmp_path, f"{tmp_path}/b/0.png: not a readable image: ")


def test_classes_of_train_and_test_must_be_the_same(tmp_path: Path) -> None:
    for place in ("train/a", "train/b", "test/a", "test/c"):
        picture(tmp_path / place / "0.png", 1)
    refused(tmp_path, f"{tmp_path}/train: the class directory 'c' of {tmp_path}/test is missing")
    (tmp_path / "test" / "c").rename(tmp_path / "test" / "b")
    picture(tmp_path / "train" / "c" / "0.png", 1)
    refused(tmp_path, f"{tmp_path}/test: the class directory 'c' of {tmp_path}/train is missing")
