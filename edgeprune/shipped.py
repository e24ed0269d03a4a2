"""Where the files that come with the package lie: inside the wheel, or beside it in a checkout."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parent


def shipped_directory(name: str) -> Path:
    """Return the directory of shipped data called ``name`` ("targets", "recipes", "qemu_plugin")."""
    inside_wheel = _PACKAGE / "_files" / name
    if inside_wheel.is_dir():
        return inside_wheel
    checkout = _PACKAGE.parent
    return checkout / "tools" / name if name == "qemu_plugin" else checkout / name
