"""A NumPy ``.npz`` of arrays ``x``, ``y`` and optionally ``x_test``, ``y_test``."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edgeprune.data.arrays import ArrayDataset
from edgeprune.data.loaded import Loaded, labels_tensor, shape_text
from edgeprune.errors import UserError
from edgeprune.recipe import Data


def load_npz(data: Data, shape: tuple[int, ...]) -> Loaded:
    """Return the arrays as data sets; nothing is unpickled.

    ``x`` is uint8 or floating (in [0, 1]) of shape ``[N, *shape]``; for images also ``[N, H, W, C]``, and ``[N, H, W]``
    where C is 1. ``y`` holds integer classes from 0.

    Raises:
        UserError: the file or a key is missing, or an array has a wrong type, shape or value.
    """
    path = Path(data.path or "")
    arrays = _read(path)
    for key in ("x", "y"):
        if key not in arrays:
            raise UserError(f"{path}: there is no array {key!r}; it holds {', '.join(sorted(arrays)) or 'none'}")
    if ("x_test" in arrays) != ("y_test" in arrays):
        raise UserError(f"{path}: x_test and y_test must come together")
    train = _dataset(arrays, "x", "y", data, shape, path)
    test = _dataset(arrays, "x_test", "y_test", data, shape, path) if "x_test" in arrays else None
    classes = int(train.labels.max()) + 1
    if test is not None and int(test.labels.max()) >= classes:
        raise UserError(f"{path}: y_test holds label {int(test.labels.max())}, but y has only 0 to {classes - 1}")
    return Loaded(train, test, tuple(str(number) for number in range(classes)), path.name)


def _read(path: Path) -> dict[str, NDArray[Any]]:
    if not path.is_file():
        raise UserError(f"data.path: {path}: no such file")
    try:
        archive = np.load(path, allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise UserError(f"{path}: a single array, not an .npz; save it with numpy.savez(path, x=..., y=...)")
        with archive:
            return {key: archive[key] for key in archive.files if key in ("x", "y", "x_test", "y_test")}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"{path}: not a readable .npz of plain arrays: {error}") from None


def _dataset(
    arrays: dict[str, NDArray[Any]], x: str, y: str, data: Data, shape: tuple[int, ...], path: Path
) -> ArrayDataset:
    samples = _samples(arrays[x], shape, f"{path}: {x}")
    labels = labels_tensor(arrays[y], samples=len(samples), source=f"{path}: {y}")
    return ArrayDataset(samples, labels, mean=data.mean, std=data.std)


def _samples(array: NDArray[Any], shape: tuple[int, ...], source: str) -> Tensor:
    if array.dtype != np.uint8 and array.dtype.kind != "f":
        raise UserError(f"{source}: must be uint8 (0 to 255) or floating (0 to 1), not {array.dtype}")
    arranged = _arranged(array, shape, source)
    if array.dtype == np.uint8:
        return torch.from_numpy(np.array(arranged, order="C"))
    values = np.array(arranged, dtype=np.float32, order="C")
    if not np.isfinite(values).all():
        raise UserError(f"{source}: holds values that are not finite")
    return torch.from_numpy(values)


def _arranged(array: NDArray[Any], shape: tuple[int, ...], source: str) -> NDArray[Any]:
    """Bring ``array`` to ``[N, *shape]``, channels first."""
    found = array.shape[1:]
    if found == shape:
        return array
    if len(shape) == 3:
        channels, height, width = shape
        if found == (height, width, channels):
            return array.transpose(0, 3, 1, 2)
        if channels == 1 and found == (height, width):
            return array[:, None]
    raise UserError(
        f"{source}: samples of {shape_text(found) or 'no shape'} do not fit model.input_shape {list(shape)}"
    )
