"""TOML files known by name: those in the working directory, and those that come with the package."""

from __future__ import annotations

import difflib
from pathlib import Path

from edgeprune.errors import UserError
from edgeprune.shipped import shipped_directory


def list_named(directory: str) -> dict[str, Path]:
    """Return the files of ``directory`` ("targets", "recipes") by name; the working directory's come first."""
    found: dict[str, Path] = {}
    for place in (Path(directory), shipped_directory(directory)):
        for path in sorted(place.glob("*.toml")):
            found.setdefault(path.stem, path)
    return dict(sorted(found.items()))


def locate(directory: str, kind: str, name_or_path: str) -> Path:
    """Return the file called ``name_or_path``; what ends in ``.toml`` is a path and is not looked up.

    Raises:
        UserError: there is no ``kind`` of that name; gives the nearest names.
    """
    if name_or_path.endswith(".toml"):
        return Path(name_or_path)
    known = list_named(directory)
    if name_or_path in known:
        return known[name_or_path]
    close = difflib.get_close_matches(name_or_path, known, n=3, cutoff=0.4)
    hint = f"did you mean {' or '.join(close)}?" if close else f"known: {', '.join(known)}"
    raise UserError(f"{kind} {name_or_path!r}: no such {kind}; {hint}")
