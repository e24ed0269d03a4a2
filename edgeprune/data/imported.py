"""Data sets that are the user's own code, named by import path."""

from __future__ import annotations

from collections.abc import Sized
from typing import Any

import torch
from torch import Tensor

from edgeprune.data.loaded import Loaded, shape_text
from edgeprune.errors import UserError
from edgeprune.recipe import Data
from edgeprune.user_code import load_callable


def load_imported(data: Data, shape: tuple[int, ...]) -> Loaded:
    """Return what ``factory(**args)`` gives: a training and a test data set of ``(sample float32, label int)``.

    They stay as they are: nothing is normalised or kept in memory.

    Raises:
        UserError: the factory cannot be called, gives something else, or the first sample does not fit ``shape``.
    """
    spec = data.factory or ""
    for key, unused in (("mean", data.mean == 0.0), ("std", data.std == 1.0)):
        if not unused:
            raise UserError(f"data.{key} does nothing when source is 'import'; normalise in {spec} and remove it")
    factory = load_callable(spec)
    try:
        made = factory(**data.args)
    except Exception as error:
        failure = f"{type(error).__name__}: {error}"
        raise UserError(f"data.factory {spec!r}: a call with data.args {data.args} failed: {failure}") from error
    if not isinstance(made, tuple | list) or len(made) != 2:
        raise UserError(f"data.factory {spec!r}: must return (train, test), not {type(made).__name__}")
    for name, dataset in zip(("train", "test"), made, strict=True):
        _check(dataset, shape, f"data.factory {spec!r}: {name}")
    return Loaded(made[0], made[1], _classes(made[0]), spec)


def _check(dataset: object, shape: tuple[int, ...], source: str) -> None:
    if not isinstance(dataset, Sized) or not hasattr(dataset, "__getitem__"):
        raise UserError(f"{source} must have a length and items by index, as torch.utils.data.Dataset; it has not")
    if len(dataset) == 0:
        raise UserError(f"{source} is empty")
    try:
        item = dataset[0]
    except Exception as error:
        raise UserError(f"{source}: reading its first item failed: {type(error).__name__}: {error}") from error
    if not isinstance(item, tuple | list) or len(item) != 2:
        found = f"{len(item)} values" if isinstance(item, tuple | list) else type(item).__name__
        raise UserError(f"{source}: an item must be (sample, label), not {found}")
    sample, label = item
    if not isinstance(sample, Tensor) or sample.dtype != torch.float32:
        kind = sample.dtype if isinstance(sample, Tensor) else type(sample).__name__
        raise UserError(f"{source}: a sample must be a float32 tensor, not {kind}")
    if tuple(sample.shape) != shape:
        found = shape_text(tuple(sample.shape))
        raise UserError(f"{source}: a sample of {found} does not fit model.input_shape {list(shape)}")
    if not _is_label(label):
        raise UserError(f"{source}: a label must be an integer from 0, not {label!r}")


def _is_label(label: Any) -> bool:
    if isinstance(label, Tensor):
        return label.ndim == 0 and not label.dtype.is_floating_point and int(label) >= 0
    try:
        return not isinstance(label, bool) and label.__index__() >= 0
    except (AttributeError, TypeError):
        return False


def _classes(dataset: Any) -> tuple[str, ...]:
    names = getattr(dataset, "classes", None)
    return tuple(str(name) for name in names) if isinstance(names, list | tuple) else ()
