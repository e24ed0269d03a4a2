"""The user's cache: downloaded data, tools and tuning records, never part of a run's results."""

from __future__ import annotations

import os
from pathlib import Path


def cache_directory(*parts: str) -> Path:
    """Return ``$EDGEPRUNE_CACHE/parts...`` (default ``~/.cache/edgeprune``), created if missing."""
    root = os.environ.get("EDGEPRUNE_CACHE")
    base = Path(root) if root else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "edgeprune"
    directory = base.joinpath(*parts)
    directory.mkdir(parents=True, exist_ok=True)
    return directory
