"""Tuning records that come with edgeprune, so that a first build of the reference recipes starts tuned."""

from __future__ import annotations

import hashlib
from pathlib import Path

from edgeprune.tuning.descriptor import Descriptor, siblings
from edgeprune.tuning.records_file import import_records, read_descriptor

# Files of `edgeprune tune export`, one per device; tools/ship_records.py makes them.
_DIRECTORY = Path(__file__).parent / "records"
_MARK = "shipped"


def take_shipped(root: Path, descriptor: Descriptor) -> int:
    """Bring what is shipped for a device and its siblings into the databases under ``root``, each file once.

    Returns how many trials were added for the device itself. Records of another TVM are left where they are: they are
    of other code.

    Raises:
        StageFailure: the disk is full.
    """
    added = 0
    for file in shipped_files():
        found = read_descriptor(file)
        if not (found.key == descriptor.key or siblings(found, descriptor)):
            continue
        content = hashlib.sha256(file.read_bytes()).hexdigest()[:16]
        mark = found.directory(root) / f"{_MARK}-{content}"
        if mark.exists():
            continue
        _, merged = import_records(file, root)
        mark.touch()
        added += merged.added if found.key == descriptor.key else 0
    return added


def shipped_files() -> list[Path]:
    """Return the shipped files of records."""
    return sorted(_DIRECTORY.glob("*.zip"))


def shipped_file(descriptor: Descriptor) -> Path:
    """Return where the records of a device are shipped, whether they are or not."""
    return _DIRECTORY / f"{descriptor.directory(Path()).name}.zip"
