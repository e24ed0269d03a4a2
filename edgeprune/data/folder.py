"""A directory of images: one subdirectory per class, optionally below ``train/`` and ``test/``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError

from edgeprune.data.arrays import ArrayDataset
from edgeprune.data.loaded import Loaded
from edgeprune.errors import UserError
from edgeprune.progress import Progress
from edgeprune.recipe import Data

_SUFFIXES = {".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
_MODES = {1: "L", 3: "RGB"}


def load_folder(data: Data, shape: tuple[int, ...], progress: Progress) -> Loaded:
    """Return the images as bytes in memory, grey or colour as ``shape`` (C, H, W) asks, resized to it.

    Classes are the subdirectories' names in sorted order. With ``train/`` the classes are looked for below it, with
    ``test/`` beside it the test split is read from there.

    Raises:
        UserError: a directory or class is missing or empty, or a file is not a readable image.
    """
    root = Path(data.path or "")
    if not root.is_dir():
        raise UserError(f"data.path: {root}: no such directory")
    if len(shape) != 3 or shape[0] not in _MODES:
        raise UserError(f"model.input_shape: images need [1, H, W] or [3, H, W], not {list(shape)}")
    train_root = root / "train" if (root / "train").is_dir() else root
    test_root = root / "test" if train_root != root and (root / "test").is_dir() else None
    classes = _classes(train_root)
    if test_root is not None:
        _same_classes(classes, _classes(test_root), train_root, test_root)
    train = _read_split(train_root, classes, data, shape, progress)
    test = _read_split(test_root, classes, data, shape, progress) if test_root is not None else None
    return Loaded(train, test, classes, root.name)


def _classes(root: Path) -> tuple[str, ...]:
    names = tuple(sorted(entry.name for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith(".")))
    if len(names) < 2:
        raise UserError(f"{root}: a directory per class is wanted, at least two; found {', '.join(names) or 'none'}")
    return names


def _same_classes(train: tuple[str, ...], test: tuple[str, ...], train_root: Path, test_root: Path) -> None:
    for missing, here, there in (
        (sorted(set(test) - set(train)), train_root, test_root),
        (sorted(set(train) - set(test)), test_root, train_root),
    ):
        if missing:
            raise UserError(f"{here}: the class directory {missing[0]!r} of {there} is missing")


def _read_split(
    root: Path, classes: tuple[str, ...], data: Data, shape: tuple[int, ...], progress: Progress
) -> ArrayDataset:
    found = [_images(root / name, progress) for name in classes]
    labels = torch.tensor([label for label, paths in enumerate(found) for _ in paths], dtype=torch.int64)
    samples = torch.empty((len(labels), *shape), dtype=torch.uint8)
    for position, path in enumerate(path for paths in found for path in paths):
        samples[position] = torch.from_numpy(_read_image(path, shape))
    return ArrayDataset(samples, labels, mean=data.mean, std=data.std)


def _images(directory: Path, progress: Progress) -> list[Path]:
    files = sorted(path for path in directory.iterdir() if path.is_file() and not path.name.startswith("."))
    images = [path for path in files if path.suffix.lower() in _SUFFIXES]
    if not images:
        raise UserError(f"{directory}: there are no images in it ({', '.join(sorted(_SUFFIXES))})")
    if len(images) < len(files):
        progress.note(f"{directory}: {len(files) - len(images)} files without an image's suffix are left out")
    return images


def _read_image(path: Path, shape: tuple[int, ...]) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    channels, height, width = shape
    try:
        with Image.open(path) as image:
            converted = image.convert(_MODES[channels])
    except (UnidentifiedImageError, OSError, SyntaxError) as error:
        raise UserError(f"{path}: not a readable image: {error}") from None
    if converted.size != (width, height):
        converted = converted.resize((width, height), Image.Resampling.BILINEAR)
    pixels = np.array(converted, dtype=np.uint8)
    return pixels.reshape(height, width, channels).transpose(2, 0, 1).copy()
