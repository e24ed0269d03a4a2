from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import Subset

from edgeprune.data import ArrayDataset, load_splits
from edgeprune.errors import UserError
from edgeprune.recipe import Data


def npz(tmp_path: Path, **arrays: object) -> Path:
    path = tmp_path / "data.npz"
    np.savez(path, **arrays)  # type: ignore[arg-type]
    return path


def numbered(count: int, first: int = 0) -> dict[str, np.ndarray]:
    """Samples that carry their own number, so that a split can be read back."""
    x = np.arange(first, first + count, dtype=np.uint8).reshape(count, 1, 1, 1)
    return {"x": x, "y": np.arange(count) % 2}


def load(
    tmp_path: Path, arrays: dict[str, np.ndarray], seed: int = 0, shape: tuple[int, ...] = (1, 1, 1), **keys: object
):
    data = Data(source="npz", path=str(npz(tmp_path, **arrays)), **{"validation": 3, **keys})  # type: ignore[arg-type]
    return load_splits(data, seed, shape)


def numbers(dataset: object) -> list[int]:
    assert isinstance(dataset, ArrayDataset)
    return dataset.samples.flatten().tolist()


def test_splits_are_the_seeded_permutation(tmp_path: Path) -> None:
    order = torch.randperm(10, generator=torch.Generator().manual_seed(7)).tolist()
    arrays = {**numbered(10), **{f"{key}_test": value for key, value in numbered(4, first=100).items()}}
    splits = load(tmp_path, arrays, seed=7)
    assert numbers(splits.validation) == order[:3]
    assert numbers(splits.train) == order[3:]
    assert numbers(splits.test) == [100, 101, 102, 103]
    assert splits.describe() == "data.npz: 7 training, 3 validation, 4 test samples of 1x1x1, 2 classes"
    assert numbers(load(tmp_path, arrays, seed=8).train) != order[3:]


def test_limit_touches_only_training(tmp_path: Path) -> None:
    whole, limited = load(tmp_path, numbered(12)), load(tmp_path, numbered(12), limit=2)
    assert numbers(limited.train) == numbers(whole.train)[:2]
    assert numbers(limited.validation) == numbers(whole.validation)
    assert numbers(limited.test) == numbers(whole.test)


def test_test_split_is_taken_off_where_there_is_none(tmp_path: Path) -> None:
    order = torch.randperm(10, generator=torch.Generator().manual_seed(0)).tolist()
    splits = load(tmp_path, numbered(10))
    assert (numbers(splits.test), numbers(splits.validation), numbers(splits.train)) == (
        order[:3],
        order[3:6],
        order[6:],
    )


def test_values_are_scaled_and_normalised(tmp_path: Path) -> None:
    x = np.full((8, 1, 1, 2), 51, dtype=np.uint8)
    splits = load(tmp_path, {"x": x, "y": np.zeros(8, dtype=np.int32)}, shape=(1, 1, 2), mean=0.1, std=0.5)
    sample, label = splits.train[0]
    assert torch.equal(sample, (torch.full((1, 1, 2), 51.0) / 255 - 0.1) / 0.5)
    assert label == 0
    batch, labels = splits.train.batch(torch.tensor([1, 0]))  # type: ignore[attr-defined]
    assert batch.dtype == torch.float32 and batch.shape == (2, 1, 1, 2) and torch.equal(batch[0], sample)
    assert labels.dtype == torch.int64
    assert int(splits.train.samples[0, 0, 0, 0]) == 51  # type: ignore[attr-defined]  # reading left it alone


def test_floats_are_not_scaled_and_not_changed_by_reading(tmp_path: Path) -> None:
    splits = load(tmp_path, {"x": np.full((8, 2), 0.25), "y": np.zeros(8, dtype=int)}, shape=(2,), mean=0.5)
    assert torch.equal(splits.train[0][0], torch.tensor([-0.25, -0.25]))
    assert torch.equal(splits.train[0][0], torch.tensor([-0.25, -0.25]))


@pytest.mark.parametrize("given", [(2, 3, 4, 5), (2, 4, 5, 3)], ids=["NCHW", "NHWC"])
def test_image_layouts(tmp_path: Path, given: tuple[int, ...]) -> None:
    wanted = np.random.default_rng(0).integers(0, 256, (2, 3, 4, 5), dtype=np.uint8)
    x = wanted if given[1] == 3 else wanted.transpose(0, 2, 3, 1)
    path = npz(tmp_path, x=np.concatenate([x] * 4), y=np.zeros(8, dtype=int), x_test=x, y_test=np.zeros(2, dtype=int))
    splits = load_splits(Data(source="npz", path=str(path), validation=3), 0, (3, 4, 5))
    assert np.array_equal(splits.test.samples.numpy(), wanted)  # type: ignore[attr-defined]


def test_grey_images_without_a_channel_axis(tmp_path: Path) -> None:
    assert load(tmp_path, {"x": np.zeros((8, 4, 5)), "y": np.zeros(8, dtype=int)}, shape=(1, 4, 5)).train[0][
        0
    ].shape == (
        1,
        4,
        5,
    )


X, Y = np.zeros((8, 1, 4, 5), dtype=np.uint8), np.zeros(8, dtype=np.int64)
SHAPE = (1, 4, 5)
REFUSED = [
    ({"y": Y}, "{path}: there is no array 'x'; it holds y"),
    ({"x": X}, "{path}: there is no array 'y'; it holds x"),
    ({"x": X, "y": Y, "x_test": X}, "{path}: x_test and y_test must come together"),
    ({"x": X.astype(np.int32), "y": Y}, "{path}: x: must be uint8 (0 to 255) or floating (0 to 1), not int32"),
    ({"x": np.full((8, 1, 4, 5), np.nan), "y": Y}, "{path}: x: holds values that are not finite"),
    ({"x": np.zeros((8, 3, 4, 5)), "y": Y}, "{path}: x: samples of 3x4x5 do not fit model.input_shape [1, 4, 5]"),
    ({"x": np.zeros(8), "y": Y}, "{path}: x: samples of no shape do not fit model.input_shape [1, 4, 5]"),
    ({"x": X, "y": Y[:7]}, "{path}: y: 8 samples need labels of shape (8,), not (7,)"),
    ({"x": X, "y": Y.astype(float)}, "{path}: y: labels must be integers, not float64"),
    ({"x": X, "y": Y - np.eye(8, dtype=int)[5]}, "{path}: y: label -1 at 5 is negative; number classes from 0"),
    ({"x": X[:0], "y": Y[:0]}, "{path}: y: there are no samples"),
    ({"x": X, "y": Y, "x_test": X, "y_test": Y + 4}, "{path}: y_test holds label 4, but y has only 0 to 0"),
    (
        {"x": X[:3], "y": Y[:3], "x_test": X, "y_test": Y},
        "data.validation: 3 samples for validation leave none of 3 to train on; lower it",
    ),
    (
        {"x": X[:6], "y": Y[:6]},
        "data.validation: 6 samples for validation and as many for a test split leave none of 6 to train on; lower it",
    ),
]


@pytest.mark.parametrize(("arrays", "message"), REFUSED)
def test_npz_refusals(tmp_path: Path, arrays: dict[str, np.ndarray], message: str) -> None:
    wanted = message.format(path=tmp_path / "data.npz")
    with pytest.raises(UserError, match=f"^{re.escape(wanted)}$"):
        load(tmp_path, arrays, shape=SHAPE)


def test_npz_files_that_are_none(tmp_path: Path) -> None:
    def refused(path: Path, message: str) -> None:
        with pytest.raises(UserError, match=f"^{re.escape(message)}"):
            load_splits(Data(source="npz", path=str(path), validation=1), 0, SHAPE)

    refused(tmp_path / "none.npz", f"data.path: {tmp_path}/none.npz: no such file")
    (tmp_path / "text.npz").write_text("hello")
    refused(tmp_path / "text.npz", f"{tmp_path}/text.npz: not a readable .npz of plain arrays: ")
    np.save(tmp_path / "one.npy", X)
    refused(tmp_path / "one.npy", f"{tmp_path}/one.npy: a single array, not an .npz; save it with numpy.savez(")
    np.savez(tmp_path / "objects.npz", x=np.array([None, {}]), y=Y)
    refused(tmp_path / "objects.npz", f"{tmp_path}/objects.npz: not a readable .npz of plain arrays: Object arrays")


USER_DATA = """
import torch
from torch.utils.data import TensorDataset

class Named(TensorDataset):
    classes = ["cat", "dog"]

def make(count=9, size=2):
    x = torch.arange(count * size, dtype=torch.float32).reshape(count, size)
    return Named(x, torch.arange(count) % 2), TensorDataset(x[:2], torch.tensor([0, 1]))

def one(): return make()[0]
def empty(): return make()[0], TensorDataset(torch.zeros(0, 2), torch.zeros(0))
def doubles(): return TensorDataset(torch.zeros(3, 2, dtype=torch.float64), torch.zeros(3)), make()[1]
def arrays(): return [([0.0, 1.0], 1)] * 4, make()[1]
def soft(): return TensorDataset(torch.zeros(3, 2), torch.zeros(3)), make()[1]
def negative(): return [(torch.zeros(2), -1)], make()[1]
def triple(): return [(torch.zeros(2), 0, 0)], make()[1]
def broken():
    class Broken(list):
        def __getitem__(self, index): raise OSError("disk is gone")
    return Broken([1]), make()[1]
def iterator(): return iter([]), make()[1]
"""


def imported(tmp_path: Path, name: str, shape: tuple[int, ...] = (2,), **keys: object):
    path = tmp_path / "mine.py"
    path.write_text(USER_DATA)
    return load_splits(Data(source="import", factory=f"{path}:{name}", validation=2, **keys), 0, shape)  # type: ignore[arg-type]


def test_import(tmp_path: Path) -> None:
    splits = imported(tmp_path, "make", args={"count": 6})
    order = torch.randperm(6, generator=torch.Generator().manual_seed(0)).tolist()
    assert isinstance(splits.validation, Subset) and list(splits.validation.indices) == order[:2]
    assert splits.train[0][0].tolist() == [2.0 * order[2], 2.0 * order[2] + 1]
    assert splits.classes == ("cat", "dog")
    assert splits.describe().endswith("mine.py:make: 4 training, 2 validation, 2 test samples of 2, 2 classes")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("one", ": must return (train, test), not Named"),
        ("empty", ": test is empty"),
        ("doubles", ": train: a sample must be a float32 tensor, not torch.float64"),
        ("arrays", ": train: a sample must be a float32 tensor, not list"),
        ("soft", ": train: a label must be an integer from 0, not tensor(0.)"),
        ("negative", ": train: a label must be an integer from 0, not -1"),
        ("triple", ": train: an item must be (sample, label), not 3 values"),
        ("broken", ": train: reading its first item failed: OSError: disk is gone"),
        ("iterator", ": train must have a length and items by index, as torch.utils.data.Dataset; it has not"),
    ],
)
def test_import_refusals(tmp_path: Path, name: str, message: str) -> None:
    wanted = f"data.factory '{tmp_path}/mine.py:{name}'{message}"
    with pytest.raises(UserError, match=f"^{re.escape(wanted)}$"):
        imported(tmp_path, name)


def test_import_refusals_of_settings(tmp_path: Path) -> None:
    spec = f"{tmp_path}/mine.py:make"
    with pytest.raises(
        UserError, match=f"^{re.escape(f'data.mean does nothing when source is {chr(39)}import{chr(39)}')}"
    ):
        imported(tmp_path, "make", mean=0.5)
    wanted = f"data.factory '{spec}': a call with data.args {{'width': 3}} failed: TypeError: make() got an"
    with pytest.raises(UserError, match=f"^{re.escape(wanted)}"):
        imported(tmp_path, "make", args={"width": 3})
    wanted = f"data.factory '{spec}': train: a sample of 2 does not fit model.input_shape [1, 28, 28]"
    with pytest.raises(UserError, match=f"^{re.escape(wanted)}$"):
        imported(tmp_path, "make", shape=(1, 28, 28))
