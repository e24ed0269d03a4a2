"""Which file of an earlier run says how much each layer lost."""

from __future__ import annotations

from pathlib import Path

from edgeprune.errors import UserError
from edgeprune.recipe.pruning import Prune


def amounts_file(settings: Prune) -> Path | None:
    """Return the file ``prune.amounts_from`` means: itself, or what the prune stage wrote into a directory.

    That is ``plan.json`` where channels go and ``masks.safetensors`` where weights do.

    Raises:
        UserError: there is no such file.
    """
    if settings.amounts_from is None:
        return None
    path = Path(settings.amounts_from)
    if path.is_dir():
        path = path / ("masks.safetensors" if settings.masks_only else "plan.json")
    if not path.is_file():
        raise UserError(f"prune.amounts_from: {path}: no such file; give the prune directory of an earlier run")
    return path
