"""Callbacks that a recipe names."""

from __future__ import annotations

from collections.abc import Sequence

from edgeprune.errors import UserError
from edgeprune.training.callbacks import Callback
from edgeprune.user_code import load_callable


def load_callbacks(specs: Sequence[str]) -> list[Callback]:
    """Return a fresh callback from each of ``package.module:callable`` or ``path/to/file.py:callable``.

    Raises:
        UserError: one cannot be loaded, does not work without arguments, or gives something else.
    """
    return [_load(spec) for spec in specs]


def _load(spec: str) -> Callback:
    factory = load_callable(spec)
    try:
        made = factory()
    except TypeError as error:
        raise UserError(f"callbacks: {spec} is called without arguments: {error}") from error
    if not isinstance(made, Callback):
        raise UserError(f"callbacks: {spec} gave {type(made).__name__}, not an edgeprune.training.Callback")
    return made
