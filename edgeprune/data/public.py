"""MNIST and Fashion-MNIST as splits."""

from __future__ import annotations

import torch

from edgeprune.data.arrays import ArrayDataset
from edgeprune.data.catalogue import IdxFile
from edgeprune.data.fetch import fetch_public, find_public, read_checked
from edgeprune.data.idx import parse_idx
from edgeprune.data.loaded import Loaded, labels_tensor, shape_text
from edgeprune.errors import UserError
from edgeprune.progress import Progress
from edgeprune.recipe import Data


def load_public(data: Data, shape: tuple[int, ...], progress: Progress, *, offline: bool) -> Loaded:
    """Return a data set of the catalogue, fetched if it is not in the cache.

    Raises:
        UserError: it cannot be had, or its images are not of ``shape``.
    """
    entry = find_public(data.source)
    directory = fetch_public(entry, offline=offline, progress=progress)

    def split(images: IdxFile, labels: IdxFile) -> ArrayDataset:
        pixels = parse_idx(read_checked(directory, images), str(directory / images.name))[:, None]
        if pixels.shape[1:] != shape:
            found = shape_text(pixels.shape[1:])
            raise UserError(f"model.input_shape: {entry.name} holds images of {found}, not {shape_text(shape)}")
        source = str(directory / labels.name)
        numbers = labels_tensor(parse_idx(read_checked(directory, labels), source), samples=len(pixels), source=source)
        # A copy, for torch wants memory it may write to and the file's bytes are not.
        return ArrayDataset(torch.from_numpy(pixels.copy()), numbers, mean=data.mean, std=data.std)

    return Loaded(
        train=split(entry.train_images, entry.train_labels),
        test=split(entry.test_images, entry.test_labels),
        classes=entry.classes,
        source=entry.name,
    )
