"""From a recipe's ``[data]`` table to the three splits of a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset, Subset

from edgeprune.data.arrays import ArrayDataset
from edgeprune.data.folder import load_folder
from edgeprune.data.imported import load_imported
from edgeprune.data.loaded import Loaded
from edgeprune.data.npz import load_npz
from edgeprune.data.public import load_public
from edgeprune.errors import UserError
from edgeprune.progress import Progress, SilentProgress
from edgeprune.recipe import Data


@dataclass(frozen=True)
class Splits:
    """The data of a run: ``validation`` decides, ``test`` is read once, at the end.

    Every item of the three is ``(sample float32, label int)``. ``classes`` are the labels' names in order; empty
    where a data set by import path does not tell them.
    """

    train: Dataset[Any]
    validation: Dataset[Any]
    test: Dataset[Any]
    classes: tuple[str, ...]
    input_shape: tuple[int, ...]
    source: str

    def describe(self) -> str:
        """Return one line with the source, the sizes, the sample's shape and the number of classes."""
        sizes = f"{_size(self.train)} training, {_size(self.validation)} validation, {_size(self.test)} test samples"
        shape = "x".join(str(size) for size in self.input_shape)
        classes = f", {len(self.classes)} classes" if self.classes else ""
        return f"{self.source}: {sizes} of {shape}{classes}"


def load_splits(
    data: Data, seed: int, input_shape: Sequence[int], progress: Progress | None = None, *, offline: bool = False
) -> Splits:
    """Return the splits ``data`` describes.

    A permutation seeded by ``seed`` orders the training split: its first ``data.validation`` samples become the
    validation split, the next ``data.limit`` (default: all) stay for training. Where a source has no test split, as
    many samples as for validation are taken off for it in the same way, first. The test split does not depend on
    ``limit``.

    Raises:
        UserError: the data are missing, malformed, do not fit ``input_shape`` or are too few; names the file or key.
    """
    shape = tuple(input_shape)
    loaded = _load(data, shape, progress or SilentProgress(), offline)
    order = torch.randperm(_size(loaded.train), generator=torch.Generator().manual_seed(seed))
    test = loaded.test
    if test is None:
        _require(len(order), 2 * data.validation, "validation and as many for a test split")
        test = _select(loaded.train, order[: data.validation])
        order = order[data.validation :]
    _require(len(order), data.validation, "validation")
    rest = order[data.validation :][: data.limit]
    return Splits(
        train=_select(loaded.train, rest),
        validation=_select(loaded.train, order[: data.validation]),
        test=test,
        classes=loaded.classes,
        input_shape=shape,
        source=loaded.source,
    )


def _load(data: Data, shape: tuple[int, ...], progress: Progress, offline: bool) -> Loaded:
    if data.source == "folder":
        return load_folder(data, shape, progress)
    if data.source == "npz":
        return load_npz(data, shape)
    if data.source == "import":
        return load_imported(data, shape)
    return load_public(data, shape, progress, offline=offline)


def _require(available: int, taken: int, purpose: str) -> None:
    if available <= taken:
        raise UserError(
            f"data.validation: {taken} samples for {purpose} leave none of {available} to train on; lower it"
        )


def _select(dataset: Dataset[Any], indices: Tensor) -> Dataset[Any]:
    if isinstance(dataset, ArrayDataset):
        return dataset.select(indices)
    return Subset(dataset, indices.tolist())


def _size(dataset: Dataset[Any]) -> int:
    return len(dataset)  # type: ignore[arg-type]  # every source here has a length; Dataset does not promise one
